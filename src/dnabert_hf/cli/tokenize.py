"""`dnabert tokenize`: token ids or k-mers of sequences."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.shared import (
    IdColumn,
    Output,
    Overwrite,
    SequenceColumn,
    SequenceFile,
    close,
)

__all__ = ["tokenize"]


def tokenize(
    sequences: SequenceFile,
    output: Output = Path("-"),
    k: Annotated[int, typer.Option(help="Bases per k-mer, 2 to 8.")] = 6,
    kmers: Annotated[
        bool, typer.Option("--kmers", help="Write k-mers instead of token ids.", show_default=False)
    ] = False,
    overwrite: Overwrite = False,
    sequence_column: SequenceColumn = "sequence",
    id_column: IdColumn = "id",
) -> None:
    """Turn sequences into token ids, or into the k-mer text of the original DNABERT.

    Writes a table of id and tokens parted by spaces, [CLS] and [SEP] included among ids.

    Example:

        dnabert tokenize genes.fa --k 6 --kmers -o genes.tsv
    """
    from dnabert_hf.data.reading.records import Columns
    from dnabert_hf.inference.tokenize import write_tokens

    written = write_tokens(
        sequences,
        output,
        k=k,
        as_kmers=kmers,
        columns=Columns(sequence=sequence_column, id=id_column),
        overwrite=overwrite,
    )
    close(written)
