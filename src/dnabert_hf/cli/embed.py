"""`dnabert embed`: vectors that describe sequences or single bases."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import new_file
from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.shared import Model, SequenceFile, close

__all__ = ["embed"]


@takes_run_options("shard", "overwrite", "skip_short", columns=("sequence", "id", "label"))
def embed(
    model: Model,
    sequences: SequenceFile,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="File to write: .parquet, .safetensors, or .h5ad (AnnData).",
            show_default=False,
            callback=new_file,
        ),
    ],
    pooling: Annotated[
        str,
        typer.Option(help="mean (over the k-mers), cls (the [CLS] token) or base (every base)."),
    ] = "mean",
    precision: Annotated[
        str, typer.Option(help="Number format to write: float32, or float16 for half the size.")
    ] = "float32",
    max_file_mb: Annotated[
        int | None,
        typer.Option(
            "--max-file-mb",
            metavar="N",
            help="Make a folder of numbered files of about N megabytes each.",
            show_default=False,
        ),
    ] = None,
    *,
    running: Running,
) -> None:
    """Embed each sequence, of any length, as a vector, or as one vector per base.

    A run that was stopped goes on where it ended when the same command is run again.

    Example:

        dnabert embed my_model genes.fa -o embeddings.parquet

    For scanpy and its like, with the labels and splits of a table:

        dnabert embed my_model labelled.tsv -o embeddings.h5ad

    With --max-file-mb 500, embeddings.parquet is a folder of embeddings-00000-of-00003.parquet and
    so on, which pandas, pyarrow, polars and datasets read as one table.
    """
    from dnabert_hf.inference.embed import embed as embed_sequences
    from dnabert_hf.inference.output.writer import WrittenResults

    done = embed_sequences(
        model,
        sequences,
        output=output,
        pooling=pooling,  # type: ignore[arg-type]  # checked where it is used
        precision=precision,  # type: ignore[arg-type]  # likewise
        max_file_mb=max_file_mb,
        **running,
    )
    if isinstance(done, WrittenResults):
        close(done)
