"""`dnabert motifs`: the motifs that a fine-tuned model attends to."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.shared import (
    BatchTokens,
    Device,
    Dtype,
    IdColumn,
    LabelColumn,
    Model,
    SequenceColumn,
    SequenceFile,
    make_columns,
)

__all__ = ["motifs"]


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
            show_default="the second of two",
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
            show_default="attention; gradient_x_input if the model pools k-mers, not [CLS]",
        ),
    ] = None,
    min_len: Annotated[int, typer.Option(help="Bases of a candidate, at least.")] = 5,
    max_q: Annotated[float, typer.Option(help="Largest adjusted p-value of a candidate.")] = 0.005,
    min_instances: Annotated[int, typer.Option(help="Sites of a motif, at least.")] = 3,
    published: Annotated[
        bool,
        typer.Option(
            "--published",
            help="Count the windows as DNABERT-viz does; refine, trim and join nothing.",
            show_default=False,
        ),
    ] = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    batch_tokens: BatchTokens = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier report.", show_default=False)
    ] = False,
    sequence_column: SequenceColumn = "sequence",
    label_column: LabelColumn = "label",
    id_column: IdColumn = "id",
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
        score=score,  # type: ignore[arg-type]  # find_motifs names what is possible
        settings=MotifSettings(
            min_len=min_len,
            max_q=max_q,
            min_instances=min_instances,
            both_strands=rc,
            is_refined=not published,
        ),
        known=known,
        columns=make_columns(sequence=sequence_column, identifier=id_column, label=label_column),
        device=device,
        dtype=dtype,
        batch_tokens=batch_tokens,
        overwrite=overwrite,
        command=shlex.join(["dnabert", *sys.argv[1:]]),
    )
    typer.echo(f"{len(found.motifs):,} motifs of {len(found.candidates):,} candidates", err=True)
    for motif in found.motifs[:10]:
        typer.echo(
            f"{motif.name}\t{motif.matrix.consensus}\t{len(motif.sites)}\t{motif.p_value:.3g}"
        )
