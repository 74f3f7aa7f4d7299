"""`dnabert attention`: how much each base matters to a model."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from dnabert_hf.cli.options import (
    BatchTokens,
    Device,
    Dtype,
    IdColumn,
    Model,
    Overwrite,
    SequenceColumn,
    make_columns,
)

__all__ = ["attention"]


class _Method(StrEnum):
    ATTENTION = "attention"
    ROLLOUT = "rollout"
    GRADIENT_X_INPUT = "gradient_x_input"
    INTEGRATED_GRADIENTS = "integrated_gradients"
    OCCLUSION = "occlusion"


class _Query(StrEnum):
    CLS = "cls"
    KMERS = "kmers"


def attention(
    model: Model,
    sequences: Annotated[
        str,
        typer.Argument(
            help="FASTA, FASTQ, TSV, CSV, Parquet or k-mer text, plain or gzip; - is standard "
            "input; with --genome also BED or narrowPeak.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="File to write: .parquet, .npz, or with coordinates .bedgraph, .bw, .bigwig.",
            show_default=False,
        ),
    ],
    method: Annotated[
        _Method, typer.Option(help="Where the scores come from; the last three explain a class.")
    ] = _Method.ATTENTION,
    layer: Annotated[
        list[int] | None,
        typer.Option(
            help="Layer, from 0, -1 is the last; repeatable: they are summed.", show_default="-1"
        ),
    ] = None,
    head: Annotated[
        list[int] | None,
        typer.Option(help="Head to sum over, from 0; repeatable.", show_default="all"),
    ] = None,
    query: Annotated[
        _Query, typer.Option(help="Whose attention: of [CLS], or the mean of all k-mers.")
    ] = _Query.CLS,
    label: Annotated[
        str | None,
        typer.Option(help="Class to explain.", show_default="the most probable one of each"),
    ] = None,
    steps: Annotated[int, typer.Option(help="Points of integrated gradients.")] = 24,
    genome: Annotated[
        list[Path] | None,
        typer.Option(
            help="FASTA file of the genome of the coordinates, for BED and bigWig; repeatable.",
            show_default=False,
        ),
    ] = None,
    faithfulness: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Print by how much the probability falls when this share of the bases, those with "
            "the highest scores, is replaced, such as 0.1, and when others are.",
            show_default=False,
        ),
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    batch_tokens: BatchTokens = None,
    overwrite: Overwrite = False,
    sequence_column: SequenceColumn = "sequence",
    id_column: IdColumn = "id",
) -> None:
    """Score each base by attention, as DNABERT-viz does, or by what it adds to a class.

    Attention of [CLS] in the last layer, summed over the heads, the mean over the k-mers that cover
    a base, divided by the norm; or another method. Writes id, sequence, scores and, if the model is
    a classifier, the probability of each class; or a track, if sequences are named like
    chr1:100-400 (0-based, half-open) or come from a BED file. Sequences may have any length.

    Example: dnabert attention peaks-model peaks.fa -o scores.parquet

    A track: dnabert attention peaks-model peaks.bed --genome hg38.fa --method integrated_gradients
    --label bound -o scores.bw
    """
    _check(method, layer, head, query, label, faithfulness, output)
    from dnabert_hf.data.genome import open_genome
    from dnabert_hf.interpretation.attention import attention_scores
    from dnabert_hf.interpretation.attribution import attribution_scores

    running: dict[str, Any] = {"device": device, "dtype": dtype, "batch_tokens": batch_tokens}
    common: dict[str, Any] = running | {
        "output": output,
        "genome": None if not genome else open_genome(genome),
        "columns": make_columns(sequence=sequence_column, identifier=id_column),
        "overwrite": overwrite,
    }
    if method is _Method.ROLLOUT:
        done = attention_scores(model, sequences, rollout=True, **common)
    elif method is _Method.ATTENTION:
        done = attention_scores(
            model,
            sequences,
            layer=layer or -1,
            heads=head or None,
            query=query.value,
            **common,
        )
    else:
        common |= {"method": method.value, "label": label, "steps": steps}
        done = attribution_scores(model, sequences, **common)
    typer.echo(f"{done[1]:,} sequences", err=True)
    if faithfulness is not None:
        from dnabert_hf.interpretation.faithfulness import faithfulness as measure
        from dnabert_hf.interpretation.scores import read_scores

        falls = measure(model, read_scores(output), share=faithfulness, label=label, **running)
        for name, value in zip(("top", "random", "shifted"), falls[1:], strict=True):
            typer.echo(f"fall_{name}\t{value:.4g}")


def _check(
    method: _Method,
    layer: list[int] | None,
    head: list[int] | None,
    query: _Query,
    label: str | None,
    faithfulness: float | None,
    output: Path,
) -> None:
    """Refuse options that do not go together, before anything runs."""
    if method is not _Method.ATTENTION and (layer or head or query is not _Query.CLS):
        raise ValueError(
            f"--layer, --head and --query are of --method attention, got {method.value}; leave "
            "them out"
        )
    explains = method not in (_Method.ATTENTION, _Method.ROLLOUT)
    if label is not None and not explains and faithfulness is None:
        raise ValueError(
            f"--label is the class that is explained, got --method {method.value}, which explains "
            "none; leave it out, or take another method"
        )
    if faithfulness is not None and not 0 < faithfulness <= 1:
        raise ValueError(f"--faithfulness must be above 0 and at most 1, got {faithfulness}")
    if faithfulness is not None and output.suffix not in (".parquet", ".npz"):
        raise ValueError(
            f"--faithfulness reads the scores of sequences again, got {output.name}; write "
            ".parquet or .npz"
        )
