"""Options that the commands of `dnabert dataset` share, and what they do alike."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnabert_hf.cli.options.early import input_file
from dnabert_hf.cli.options.running import give_parameters
from dnabert_hf.cli.options.shared import Aliases, Overwrite, SkipBad
from dnabert_hf.files.counts import counted

if TYPE_CHECKING:
    from dnabert_hf.data.building.labelled_windows import BuiltDataset, Splitting

__all__ = [
    "DevContigs",
    "Genomes",
    "Seed",
    "Table",
    "Target",
    "TestContigs",
    "WindowLength",
    "parse_classes",
    "parse_columns",
    "takes_target",
]

Genomes = Annotated[
    list[str],
    typer.Option(
        "--genome",
        help="FASTA file, plain, gzip or bgzip; repeatable.",
        show_default=False,
        callback=input_file,
    ),
]
Table = Annotated[
    Path,
    typer.Option("-o", "--output", help="Table to write (.tsv or .tsv.gz).", show_default=False),
]
WindowLength = Annotated[int, typer.Option("--length", help="Bases of a window.")]
DevContigs = Annotated[
    list[str] | None,
    typer.Option("--dev-contig", help="Contig of the validation split; repeatable."),
]
TestContigs = Annotated[
    list[str] | None,
    typer.Option(
        "--test-contig",
        help="Contig of the test split; repeatable.",
        show_default="a tenth, similar sequences together",
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]


@dataclass(frozen=True)
class Target:
    """Destination of a table, the genome it is cut from and how it is split.

    The fields are options of a command.

    Raises:
        ValueError: If the table exists and is not to be replaced, or its name is not that of one.
    """

    genome: Genomes
    output: Table
    dev_contig: DevContigs = None
    test_contig: TestContigs = None
    seed: Seed = 42
    aliases: Aliases = None
    skip_bad: SkipBad = False
    overwrite: Overwrite = False

    def __post_init__(self) -> None:
        from dnabert_hf.files.outputs import check_output

        if not self.output.name.endswith((".tsv", ".tsv.gz")):
            raise ValueError(f"the output must be a .tsv or .tsv.gz file, got {self.output.name!r}")
        check_output(self.output, overwrite=self.overwrite)

    def splitting(self) -> "Splitting":
        """Say how to split, as the data sets' functions take it."""
        from dnabert_hf.data.building.labelled_windows import Splitting

        return Splitting(tuple(self.dev_contig or ()), tuple(self.test_contig or ()), self.seed)

    def build(
        self,
        function: Callable[..., "BuiltDataset"],
        sites: Sequence[Any] | Mapping[str, Sequence[Any]],
        origin: Mapping[str, Any],
        *,
        source: str,
        **options: Any,
    ) -> None:
        """Build a data set, write it with its report and print that.

        Args:
            function: `build_promoters` or its like.
            sites: Start sites, peaks, transcripts or regions it is built around.
            origin: The command and its file, for the report.
            source: Name of the file, for messages.
            **options: Further options of the function.
        """
        from dnabert_hf.data.genome.genome import open_genome
        from dnabert_hf.data.labelled.leaks import format_report

        splitting = self.splitting()
        source = "standard input" if source == "-" else source
        built = function(
            open_genome(self.genome, aliases=self.aliases),
            sites,
            splitting=splitting,
            source=source,
            **options,
        )
        settings = {
            **origin,
            "genome": self.genome,
            **options,
            "dev_contigs": splitting.dev_contigs,
            "test_contigs": splitting.test_contigs,
            "seed": self.seed,
        }
        report = built.write(self.output, settings=settings)
        for line in format_report(built.report):
            typer.echo(line)
        typer.echo(f"{self.output}: {counted(len(built.examples), 'sequence')}; report in {report}")


def takes_target(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the fields of a target as options in place of its parameter `target`."""
    fields = inspect.signature(Target).parameters

    @functools.wraps(command)
    def run(**values: Any) -> None:
        target = Target(**{name: values.pop(name) for name in fields})
        command(**values, target=target)

    own = list(inspect.signature(command).parameters.values())
    place = [each.name for each in own].index("target")
    needed, others = list(fields.values())[:2], list(fields.values())[2:]
    give_parameters(run, [*own[:place], *needed, *own[place + 1 :], *others])
    return run


def parse_columns(text: str) -> tuple[str, str, str]:
    """Read the names of the columns of contig, position and strand.

    Raises:
        ValueError: If there are not three different ones.

    Example:
        >>> parse_columns("chrom,tss,strand")
        ('chrom', 'tss', 'strand')
    """
    names = [name.strip() for name in text.split(",")]
    if len(names) != 3 or "" in names or len(set(names)) < 3:
        raise ValueError(
            "columns must be three different names divided by commas (contig, position, strand), "
            f"got {text!r}"
        )
    return names[0], names[1], names[2]


def parse_classes(items: Sequence[str]) -> dict[str, str]:
    """Read files of regions by their class of bases: FILE, of class 1, or LETTER=FILE.

    Raises:
        ValueError: If a file has no name, or a class two files.

    Example:
        >>> parse_classes(["E=exons.bed", "I=introns.bed"])
        {'E': 'exons.bed', 'I': 'introns.bed'}
    """
    files: dict[str, str] = {}
    for item in items:
        letter, file = (item[0], item[2:]) if item[1:2] == "=" else ("1", item)
        if not file:
            raise ValueError(f"regions must be written FILE or LETTER=FILE, got {item!r}")
        if letter in files:
            raise ValueError(
                f"each class of bases must come from one file, found {files[letter]} and {file} "
                f"for {letter!r}; write LETTER=FILE"
            )
        files[letter] = file
    return files
