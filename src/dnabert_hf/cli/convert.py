"""`dnabert convert`: checkpoints of others as repositories for today's transformers."""

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["convert"]


def convert(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder, zip as the authors release it, or Hub repository; {k} stands for 3 to 6.",
            show_default=False,
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
    padded_to: Annotated[
        int | None,
        typer.Option(
            help="For a classifier that the original fine-tuned since 18 June 2021, which attends "
            "to padding: its --max_seq_length.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier repository.")
    ] = False,
) -> None:
    """Convert a DNABERT checkpoint: the original's, multimolecule's or an older one of ours.

    Pretrained or fine-tuned, as pickle or safetensors. Says which weights were missing, left out or
    never trained, and compares the result with BERT before it is written.

    Example:

        dnabert convert zhihan1996/DNA_bert_6 dnabert-6 --dna hg38.fa

    A classifier of the original, fine-tuned with --max_seq_length 100:

        dnabert convert prom-core dnabert-prom-core --padded-to 100

    For programs that run no foreign code:

        dnabert convert my_model my_model-stock --stock

    All four, with SHA256SUMS:

        dnabert convert 'zhihan1996/DNA_bert_{k}' 'release/dnabert-{k}'
    """
    from dnabert_hf.hub.conversion.convert import convert as convert_one
    from dnabert_hf.hub.conversion.release import K, convert_release

    options: dict[str, Any] = {"stock": stock, "mlm_bias": mlm_bias, "dna": dna}
    options["padded_to"] = padded_to
    if K in source or K in str(destination):
        conversions = convert_release(source, destination, overwrite=overwrite, **options)
    else:
        conversions = [convert_one(source, destination, overwrite=overwrite, **options)]
    for conversion in conversions:
        for line in conversion.lines():
            typer.echo(line)
