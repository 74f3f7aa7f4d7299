"""Options that `dnabert attention` and `dnabert attribute` share, and what both do at their end."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import input_file, new_file
from dnabert_hf.cli.options.running import Running
from dnabert_hf.cli.options.shared import in_output

__all__ = [
    "Faithfulness",
    "Genome",
    "Heads",
    "Query",
    "ScoresFile",
    "Sequences",
    "check_faithfulness",
    "measure_faithfulness",
]


class QueryName(StrEnum):
    """Whose attention is asked for."""

    CLS = "cls"
    KMERS = "kmers"


Heads = Annotated[
    list[int] | None,
    typer.Option(help="Head to sum over, from 0; repeatable.", show_default="all"),
]
Query = Annotated[
    QueryName | None,
    typer.Option(
        help="Whose attention: of [CLS], or the mean of all k-mers.",
        show_default="what the model pools",
    ),
]
Sequences = Annotated[
    str,
    typer.Argument(
        help="FASTA, FASTQ, TSV, CSV, Parquet or k-mer text, plain or gzip; - is standard input; "
        "with --genome also BED or narrowPeak.",
        show_default=False,
        callback=input_file,
    ),
]
ScoresFile = Annotated[
    Path,
    in_output(
        "-o",
        "--output",
        help="File to write: .parquet, .npz, or with coordinates .bedgraph, .bw, .bigwig.",
        show_default=False,
        callback=new_file,
    ),
]
Genome = Annotated[
    list[Path] | None,
    typer.Option(
        help="FASTA file of the genome of the coordinates, for BED and bigWig; repeatable.",
        show_default=False,
        callback=input_file,
    ),
]
Faithfulness = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Print by how much the probability falls when this share of the bases, those with "
        "the highest scores, is replaced, such as 0.1, and when others are.",
        show_default=False,
    ),
]


def check_faithfulness(share: float | None, output: Path) -> None:
    """Refuse a share out of range, or a file that cannot be read again.

    Raises:
        ValueError: If it is to be measured and cannot be.
    """
    if share is None:
        return
    if not 0 < share <= 1:
        raise ValueError(f"--faithfulness must be above 0 and at most 1, got {share}")
    if output.suffix not in (".parquet", ".npz"):
        raise ValueError(
            f"--faithfulness reads the scores of sequences again, got {output.name}; write "
            ".parquet or .npz"
        )


def measure_faithfulness(
    model: str, output: Path, share: float | None, label: str | None, running: Running
) -> None:
    """Print how far the probability falls without the bases of the highest scores, and others."""
    if share is None:
        return
    from dnabert_hf.interpretation.attribution.faithfulness import faithfulness
    from dnabert_hf.interpretation.attribution.scores import read_scores

    where = {name: running[name] for name in ("device", "dtype", "batch_tokens")}
    falls = faithfulness(model, read_scores(output), share=share, label=label, **where)
    for name, value in zip(("top", "random", "shifted"), falls[1:], strict=True):
        typer.echo(f"fall_{name}\t{value:.4g}")
