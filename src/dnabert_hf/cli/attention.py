"""`dnabert attention`: how much each base matters to a model."""

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from dnabert_hf.cli.options.early import input_file, new_file
from dnabert_hf.cli.options.shared import (
    Aliases,
    BatchTokens,
    Device,
    Dtype,
    IdColumn,
    LabelColumn,
    Model,
    Overwrite,
    SequenceColumn,
    Shard,
    SkipShort,
    make_columns,
)
from dnabert_hf.cli.options.shared import report as say

__all__ = ["attention"]


class _Method(StrEnum):
    ATTENTION = "attention"
    ROLLOUT = "rollout"
    GRADIENT_X_INPUT = "gradient_x_input"
    INTEGRATED_GRADIENTS = "integrated_gradients"
    OCCLUSION = "occlusion"


class _Alignment(StrEnum):
    START = "start"
    CENTRE = "centre"
    END = "end"


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
            callback=input_file,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="File to write: .parquet, .npz, or with coordinates .bedgraph, .bw, .bigwig.",
            show_default=False,
            callback=new_file,
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write in place of a file: a page that shows the scores, pictures, "
            "tables.",
            show_default=False,
        ),
    ] = None,
    align: Annotated[
        _Alignment | None,
        typer.Option(
            help="Where a report lays sequences of unequal length on each other.",
            show_default=False,
        ),
    ] = None,
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
        _Query | None,
        typer.Option(
            help="Whose attention: of [CLS], or the mean of all k-mers.",
            show_default="cls; in a report what the model pools",
        ),
    ] = None,
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
    aliases: Aliases = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    batch_tokens: BatchTokens = None,
    shard: Shard = None,
    overwrite: Overwrite = False,
    skip_short: SkipShort = False,
    sequence_column: SequenceColumn = "sequence",
    id_column: IdColumn = "id",
    label_column: LabelColumn = "label",
) -> None:
    r"""Score each base by attention, as DNABERT-viz does, or by what it adds to a class.

    Attention of [CLS] in the last layer, summed over the heads, the mean over the k-mers that cover
    a base, divided by the norm; or another method. Writes id, sequence, scores and, if the model is
    a classifier, the probability of each class; or a track, if sequences are named like
    chr1:100-400 (0-based, half-open) or come from a BED file. Sequences may have any length.

    Example:

        dnabert attention peaks-model peaks.fa -o scores.parquet

    A track:

        dnabert attention peaks-model peaks.bed --genome hg38.fa \
          --method integrated_gradients --label bound -o scores.bw

    A page with a landscape of each label:

        dnabert attention peaks-model test.tsv --report report
    """
    running: dict[str, Any] = {"device": device, "dtype": dtype, "batch_tokens": batch_tokens}
    columns = make_columns(sequence=sequence_column, identifier=id_column, label=label_column)
    if report is not None:
        _check_report(method, layer, genome, faithfulness, output)
        from dnabert_hf.interpretation.pages.attention_report import report_attention

        page = report_attention(
            model,
            sequences,
            report,
            align=None if align is None else align.value,
            command=shlex.join(["dnabert", *sys.argv[1:]]),
            columns=columns,
            layer=(layer or [-1])[0],
            heads=head or None,
            query=None if query is None else query.value,
            overwrite=overwrite,
            **running,
        )
        say(f"{page}")
        return
    if output is None:
        raise ValueError("-o FILE or --report FOLDER must say where the scores go, found neither")
    _check(method, layer, head, query, label, faithfulness, output)
    from dnabert_hf.data.genome.genome import open_genome
    from dnabert_hf.interpretation.attribution.attention import attention_scores
    from dnabert_hf.interpretation.attribution.attribution import attribution_scores

    common: dict[str, Any] = running | {
        "output": output,
        "genome": None if not genome else open_genome(genome, aliases=aliases),
        "columns": columns,
        "skip_short": skip_short,
        "overwrite": overwrite,
    }
    if shard is not None and method not in (_Method.ATTENTION, _Method.ROLLOUT):
        raise ValueError(
            f"--shard shares the work of attention and rollout, got --method {method.value}; use "
            "torchrun, or leave it out"
        )
    if method is _Method.ROLLOUT:
        done = attention_scores(model, sequences, rollout=True, shard=shard, **common)
    elif method is _Method.ATTENTION:
        done = attention_scores(
            model,
            sequences,
            layer=layer or -1,
            heads=head or None,
            query=(query or _Query.CLS).value,
            shard=shard,
            **common,
        )
    else:
        common |= {"method": method.value, "label": label, "steps": steps}
        done = attribution_scores(model, sequences, **common)
    say(f"{done[1]:,} sequences")
    if faithfulness is not None:
        from dnabert_hf.interpretation.attribution.faithfulness import faithfulness as measure
        from dnabert_hf.interpretation.attribution.scores import read_scores

        falls = measure(model, read_scores(output), share=faithfulness, label=label, **running)
        for name, value in zip(("top", "random", "shifted"), falls[1:], strict=True):
            typer.echo(f"fall_{name}\t{value:.4g}")


def _check(
    method: _Method,
    layer: list[int] | None,
    head: list[int] | None,
    query: _Query | None,
    label: str | None,
    faithfulness: float | None,
    output: Path,
) -> None:
    """Refuse options that do not go together, before anything runs."""
    if method is not _Method.ATTENTION and (layer or head or query):
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


def _check_report(
    method: _Method,
    layer: list[int] | None,
    genome: list[Path] | None,
    faithfulness: float | None,
    output: Path | None,
) -> None:
    """Refuse options that a report does not have."""
    if output is not None:
        raise ValueError(
            f"-o or --report must be given, found both; the folder holds a scores.parquet, so "
            f"leave out -o {output}"
        )
    if method is not _Method.ATTENTION or len(layer or ()) > 1:
        found = f"--method {method.value}" if method is not _Method.ATTENTION else "several"
        raise ValueError(
            f"a report shows the attention of one layer, got {found}; name a file (-o)"
        )
    if genome or faithfulness is not None:
        name = "--genome" if genome else "--faithfulness"
        raise ValueError(f"a report must be of sequences alone, got {name}; leave it out")
