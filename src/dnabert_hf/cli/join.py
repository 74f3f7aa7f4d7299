"""`dnabert join`: the output that the parts of an array job make."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.shared import Overwrite, report
from dnabert_hf.files.counts import counted

__all__ = ["join"]


def join(
    output: Annotated[
        Path, typer.Argument(help="Output, as the shards name it.", show_default=False)
    ],
    overwrite: Overwrite = False,
) -> None:
    """Join what runs of a command with `--shard` left beside a file.

    Of predict, embed, attention, mutagenesis, scan and variants. The file has the bytes that one
    process would have written. Parts that are missing or of another run are an error, which says
    which shards to run again.

    Example:

        dnabert join predictions.tsv
    """
    from dnabert_hf.inference.output.join import join_parts

    done = join_parts(output, overwrite=overwrite)
    report(counted(done.n_sequences, "row"))
