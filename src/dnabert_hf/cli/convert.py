"""`dnabert convert`: checkpoints of others as repositories for today's transformers."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["convert"]


def convert(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder, zip as the authors release it, or Hub repository.", show_default=False
        ),
    ],
    destination: Annotated[Path, typer.Argument(help="Folder to write.", show_default=False)],
    stock: Annotated[
        bool,
        typer.Option(
            "--stock",
            help="Write stock BERT with a tokenizer.json: needs no dnabert-hf and no remote code.",
        ),
    ] = False,
    mlm_bias: Annotated[
        str,
        typer.Option(
            help="How often the bias of the masked language model counts: auto, single or double "
            "(as the original's code adds it); auto takes the lower loss on --dna."
        ),
    ] = "auto",
    dna: Annotated[
        Path | None,
        typer.Option(help="FASTA file with DNA like that of the training.", show_default=False),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier repository.")
    ] = False,
) -> None:
    """Convert a DNABERT checkpoint: the original's, multimolecule's or an older one of ours.

    Pretrained or fine-tuned, as pickle or safetensors. Says which weights were missing, left out or
    never trained, and compares the result with BERT before it is written.

    Example: dnabert convert zhihan1996/DNA_bert_6 dnabert-6 --dna hg38.fa

    For programs that run no foreign code: dnabert convert my_model my_model-stock --stock
    """
    from dnabert_hf.hub.conversion import convert as run

    conversion = run(
        source, destination, stock=stock, mlm_bias=mlm_bias, dna=dna, overwrite=overwrite
    )
    for line in conversion.lines():
        typer.echo(line)
