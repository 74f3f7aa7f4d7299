"""`dnabert app`: a page to paste sequences into."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import input_file
from dnabert_hf.cli.options.shared import BothStrands, Model

__all__ = ["app"]


def app(
    model: Model,
    known: Annotated[
        Path | None,
        typer.Option(
            help="MEME file of known motifs to look for, such as JASPAR's; plain or gzip.",
            show_default="16 of well-known factors",
            callback=input_file,
        ),
    ] = None,
    rc: BothStrands = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 is seen from other machines.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", show_default="a free one")] = 0,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.", rich_help_panel="Compute")
    ] = "auto",
) -> None:
    """Open a model as a page on this machine: paste a sequence, see what it says and why.

    Probabilities, letters by attribution and attention, the effect of every change, known motifs,
    and of a masked language model the bases that it expects. A click changes a base. Nothing
    leaves the machine. Ctrl-C ends it.

    Example:

        dnabert app peaks-model
    """
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise ImportError("the app needs starlette and uvicorn: pip install 'dnabert-hf[app]'")
    from dnabert_hf.app.explorer import Explorer
    from dnabert_hf.app.server import serve
    from dnabert_hf.data.example.motifs import KNOWN_MOTIFS
    from dnabert_hf.interpretation.motifs.files import read_meme

    motifs = KNOWN_MOTIFS
    if known is not None:  # several may have one name
        motifs = {f"{each.name} {each.id}".strip(): each.probabilities for each in read_meme(known)}
    explorer = Explorer(model, motifs=motifs, both_strands=rc, device=device)
    serve(
        explorer,
        host=host,
        port=port,
        on_start=lambda address: typer.echo(f"{address} (Ctrl-C ends it)"),
    )
