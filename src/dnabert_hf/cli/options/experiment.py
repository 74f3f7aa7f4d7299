"""Options that the commands of `dnabert experiment` share, and what they do alike."""

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from dnabert_hf.cli.options.early import input_file
from dnabert_hf.cli.options.running import give_parameters, takes_run_options
from dnabert_hf.cli.options.shared import (
    Aliases,
    BothStrands,
    GenomeOfRegions,
    LabelOfInterest,
    Output,
    close,
    in_output,
    report,
)

__all__ = ["Setup", "check_pictures", "takes_setup"]

_PICTURES = (".png", ".svg", ".pdf")
_SHOWN = 8
_GC = 0.41

_Source = Annotated[
    str | None,
    typer.Argument(
        help="Sequences to edit: FASTA, FASTQ, TSV, CSV, Parquet or k-mer text, plain or gzip, - "
        "for standard input; with --genome a BED file. Left out with --random.",
        show_default=False,
        callback=input_file,
    ),
]
_in_background = functools.partial(typer.Option, rich_help_panel="Backgrounds")


@dataclass(frozen=True)
class Setup:
    """What is edited, what is scored, and where it goes; the fields are options of a command."""

    source: _Source = None
    output: Output = Path("-")
    plot: Annotated[
        Path | None, in_output(help="Picture of the mean effects to draw: .png, .svg or .pdf.")
    ] = None
    page: Annotated[Path | None, in_output(help="Page to write, .html: picture and effects.")] = (
        None
    )
    shuffles: Annotated[
        int,
        _in_background(help="Take so many dinucleotide shuffles of each sequence in its place."),
    ] = 0
    random: Annotated[
        int | None,
        _in_background(help="Take so many random sequences in place of SOURCE.", show_default="0"),
    ] = None
    length: Annotated[
        int | None,
        _in_background(
            help="Bases of a random sequence.", show_default="the median length of training"
        ),
    ] = None
    gc: Annotated[
        float | None,
        _in_background(help="Share of G and C in random sequences.", show_default=f"{_GC}"),
    ] = None
    genome: GenomeOfRegions = None
    flank: Annotated[int, typer.Option(help="Bases beside a region that the model sees.")] = 0
    aliases: Aliases = None
    label: LabelOfInterest = None
    rc: BothStrands = None
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0

    def __post_init__(self) -> None:
        if (self.source is None) == (self.random is None):
            raise ValueError(
                "an experiment is made on the sequences of SOURCE, or on random ones (--random N), "
                f"got {'neither' if self.source is None else 'both'}"
            )
        if self.random is None and (self.length is not None or self.gc is not None):
            raise ValueError("--length and --gc are of random sequences; add --random N")
        if self.random is not None and self.shuffles:
            raise ValueError("random sequences need no shuffles; leave out --shuffles")

    def run(
        self, experiment: Callable[..., Any], running: Mapping[str, Any], *args: Any, **named: Any
    ) -> None:
        """Run an experiment, say what came out, and draw it.

        Args:
            experiment: Function of the package.
            running: The options of the run.
            *args: What it takes behind model and source, model first.
            **named: What it takes by name.
        """
        from dnabert_hf.data.genome.genome import open_genome
        from dnabert_hf.interpretation.experiments.backgrounds import RandomSequences
        from dnabert_hf.interpretation.experiments.report import report_experiment, strongest

        check_pictures(self, {"plot": _PICTURES, "page": (".html",)}, running)
        model, *others = args
        source: Any = self.source
        if self.random is not None:
            source = RandomSequences(self.random, self.length, _GC if self.gc is None else self.gc)
        done = experiment(
            model,
            source,
            *others,
            **named,
            output=self.output,
            label=self.label,
            both_strands=self.rc,
            n_shuffles=self.shuffles,
            seed=self.seed,
            genome=open_genome(self.genome, aliases=self.aliases) if self.genome else None,
            flank=self.flank,
            **running,
        )
        close(done)
        if not done.effects or os.environ.get("RANK", "0") != "0":
            return
        report(f"{done.about}; mean change over the sequences and its standard error:")
        for effect in strongest(done, _SHOWN):
            report(f"  {effect}")
        for path in report_experiment(done, plot=self.plot, page=self.page):
            report(f"{path}")


def check_pictures(
    setup: Any, wanted: Mapping[str, tuple[str, ...]], running: Mapping[str, Any]
) -> None:
    """Refuse pictures and pages that cannot be written, before the model is loaded.

    Args:
        setup: Options with `output`, `source`, and the paths.
        wanted: Suffixes by the name of the option.
        running: The options of the run.

    Raises:
        ValueError: If one of them cannot be written.
    """
    from dnabert_hf.files.outputs import check_distinct, check_output

    given = [(name, getattr(setup, name)) for name in wanted if getattr(setup, name) is not None]
    for number, (name, path) in enumerate(given):
        if str(setup.output) == "-":
            raise ValueError(f"{path} is made of a table in a file; name one with -o")
        if path.suffix.lower() not in wanted[name]:
            raise ValueError(f"{path} must be named *{', *'.join(wanted[name])}; rename it")
        others = [setup.output, *(other for _, other in given[:number])]
        check_output(path, overwrite=running["overwrite"], others=others)
        check_distinct(path, inputs=[setup.source] if setup.source else [])


def takes_setup(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of an experiment, and those of a run, behind its own.

    Args:
        command: Function that gets them as the keywords `setup` and `running`.
    """
    names = [field.name for field in fields(Setup)]

    @functools.wraps(command)
    def run(**values: Any) -> None:
        setup = Setup(**{name: values.pop(name) for name in names})
        command(**values, setup=setup)

    own = [each for each in inspect.signature(command).parameters.values() if each.name != "setup"]
    shared = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Setup.__annotations__[each.name],
            default=each.default,
        )
        for each in fields(Setup)
    ]
    give_parameters(run, [*own, *shared])
    return takes_run_options("shard", "overwrite", "skip_short", columns=("sequence", "id"))(run)
