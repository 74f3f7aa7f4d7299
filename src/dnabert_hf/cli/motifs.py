"""`dnabert motifs`: the motifs that a fine-tuned model attends to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.shared import Model, SequenceFile

if TYPE_CHECKING:
    from dnabert_hf.interpretation.motifs.results import MotifSearch

__all__ = ["motifs"]

_N_PRINTED = 10


@takes_run_options(columns=("sequence", "label", "id"))
def motifs(
    model: Model,
    sequences: SequenceFile,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder to write.", show_default=False)
    ],
    label: Annotated[
        str | None,
        typer.Option(
            help="Class whose motifs are looked for, against all others.",
            show_default="the class of interest",
        ),
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option(
            help="MEME file of known motifs to compare with, such as JASPAR's; plain or gzip."
        ),
    ] = None,
    rc: Annotated[
        bool,
        typer.Option(
            "--rc",
            help="Look on both strands, as most binding sites ask for; splice sites and core "
            "promoters have one.",
            show_default=False,
        ),
    ] = False,
    score: Annotated[
        str | None,
        typer.Option(
            help="attention, gradient_x_input, integrated_gradients or occlusion.",
            show_default="attention; if the model pools k-mers, not [CLS], gradient_x_input and, "
            "where that finds none, attention",
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            help="Another checkpoint, such as of another k, whose attention to add; repeatable."
        ),
    ] = None,
    min_len: Annotated[int, typer.Option(help="Bases of a candidate, at least.")] = 5,
    max_q: Annotated[
        float, typer.Option(help="Largest adjusted p-value of a candidate or motif.")
    ] = 0.005,
    min_instances: Annotated[int, typer.Option(help="Sites of a motif, at least.")] = 3,
    window: Annotated[
        int, typer.Option(help="Bases that are cut out around each place; a motif is no longer.")
    ] = 24,
    published: Annotated[
        bool,
        typer.Option(
            "--published",
            help="Merge words and count windows around them exactly as DNABERT-viz does.",
            show_default=False,
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier report.", show_default=False)
    ] = False,
    *,
    running: Running,
) -> None:
    """Find the motifs that a model attends to, as DNABERT-viz does, and compare them.

    Writes matrices (MEME, JASPAR), candidates and sites (TSV; BED if the sequences are named like
    chr1:100-200), logos, matches with known motifs and index.html. Without labels the classes that
    the model predicts are taken.

    Example:

        dnabert motifs peaks-model peaks.tsv -o motifs --rc --known jaspar.meme.gz
    """
    from dnabert_hf.interpretation.motifs.find import find_motifs
    from dnabert_hf.interpretation.motifs.results import MotifSettings

    found = find_motifs(
        model,
        sequences,
        output=output,
        label=label,
        also=also or (),
        score=score,  # type: ignore[arg-type]  # find_motifs names what is possible
        settings=MotifSettings(
            min_len=min_len,
            max_q=max_q,
            window=window,
            min_instances=min_instances,
            both_strands=rc,
            is_refined=not published,
        ),
        known=known,
        **running,
        overwrite=overwrite,
    )
    _print(found)
    typer.echo(f"open {output / 'index.html'}", err=True)


def _print(found: "MotifSearch") -> None:
    """Print the best motifs as a table, and how much of what the model looks at they explain."""
    from dnabert_hf.interpretation.motifs.results import NOTHING_STANDS_OUT

    if found.motifs:
        columns = ["motif", "consensus", "sites", "p_value"]
        typer.echo("\t".join(columns + ["known", "known_q"] * (found.matches is not None)))
    for motif in found.motifs[:_N_PRINTED]:
        cells = [motif.name, motif.matrix.consensus, f"{len(motif.sites)}", f"{motif.p_value:.3g}"]
        if found.matches is not None:
            match = found.best_match(motif.name)
            cells += (
                [match.known_name or match.known, f"{match.q_value:.2g}"] if match else ["", ""]
            )
        typer.echo("\t".join(cells))
    n, left = len(found.motifs), found.n_regions - found.n_explained
    typer.echo(
        f"class {found.label}: {n:,} motif{'s' * (n != 1)} of {len(found.candidates):,} candidates"
        + (f", the best {_N_PRINTED} above" if n > _N_PRINTED else ""),
        err=True,
    )
    explained = (
        f"{left:,} of {found.n_regions:,} attended places ({found.unexplained_share:.0%}) lie in "
        "no site of a motif"
    )
    typer.echo(explained if found.n_regions else NOTHING_STANDS_OUT, err=True)
    if not n:
        typer.echo(
            f"no motif: {found.advice()}"
            + ("; candidates.tsv has the words and their p-values" if found.candidates else ""),
            err=True,
        )
