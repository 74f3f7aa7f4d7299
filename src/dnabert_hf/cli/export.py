"""`dnabert export`: models as files for other runtimes."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.shared import Model, Overwrite, in_output

__all__ = ["export"]


def export(
    model: Model,
    output: Annotated[
        Path, in_output("-o", "--output", help="Folder to write.", show_default=False)
    ],
    onnx: Annotated[
        bool,
        typer.Option(
            "--onnx", help="Write onnx/model.onnx: ONNX Runtime, transformers.js (browser, Node)."
        ),
    ] = False,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Write onnx/model_quantized.onnx, a quarter of the size: weights of 8 bits.",
        ),
    ] = False,
    openvino: Annotated[
        bool, typer.Option("--openvino", help="Write openvino_model.xml and .bin: OpenVINO.")
    ] = False,
    torch: Annotated[
        bool, typer.Option("--torch", help="Write model.pt2: torch alone, by torch.export.load.")
    ] = False,
    sentence_transformers: Annotated[
        str | None,
        typer.Option(
            metavar="POOLING",
            help="Write a folder of sentence-transformers, of the encoder, with the vectors of "
            "`dnabert embed`: mean or cls. Alone.",
            show_default=False,
        ),
    ] = None,
    embeddings: Annotated[
        bool,
        typer.Option(
            "--embeddings",
            help="Leave out the head: a vector for each sequence, the mean over its k-mers.",
        ),
    ] = False,
    opset: Annotated[
        int | None,
        typer.Option(
            help="Version of ONNX's operators, 18 to 23.", show_default="what torch prefers"
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a model for programs that run without this package, in Python, C++ or JavaScript.

    Batch and length stay open, and long sequences are cut into pieces inside: a classifier gives
    what `dnabert predict` gives. Each file is compared with the model before the folder is there.
    Beside it lie a tokenizer.json, config.json and a README.md with ten lines that use it.

    Example:

        dnabert export peaks-model --onnx -o peaks-onnx

    For a web page, a quarter of the size, not exact:

        dnabert export peaks-model --int8 -o peaks-web

    Vectors, for three runtimes:

        dnabert export dnabert-6-mini --embeddings --onnx --openvino --torch -o vectors

    For SentenceTransformer("vectors").encode(sequences):

        dnabert export dnabert-6-mini --sentence-transformers mean -o vectors
    """
    if sentence_transformers is not None:
        if onnx or int8 or openvino or torch or opset is not None:
            raise ValueError(
                "a folder of sentence-transformers is written alone: leave out --onnx, --int8, "
                "--openvino, --torch and --opset, and export twice"
            )
        from dnabert_hf.hub.stock.sentence_transformers_folder import save_sentence_transformers

        saved = save_sentence_transformers(
            model,
            output,
            pooling=sentence_transformers,  # type: ignore[arg-type]  # checked where it is used
            overwrite=overwrite,
        )
        for line in saved.lines():
            typer.echo(line)
        return
    from dnabert_hf.hub.export.export import export as export_model

    wanted = {"onnx": onnx, "int8": int8, "openvino": openvino, "torch": torch}
    done = export_model(
        model,
        output,
        formats=[name for name, is_wanted in wanted.items() if is_wanted],
        embeddings=embeddings,
        opset=opset,
        overwrite=overwrite,
    )
    for line in done.lines():
        typer.echo(line)
