"""Export of a model to runtimes that need nothing of ours, checked before it gets its name."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from dnabert_hf.cards.converted import OURS, read_source_card
from dnabert_hf.cards.exported import exported_card
from dnabert_hf.checkpoints import locate
from dnabert_hf.files.atomic import atomic_folder
from dnabert_hf.files.outputs import check_folder
from dnabert_hf.hub.export.check import TOLERANCE, Expected
from dnabert_hf.hub.export.formats import FORMATS, trace, write_onnx
from dnabert_hf.hub.export.graphs import build_graph
from dnabert_hf.hub.stock.bert_repository import STOCK_CLASSES, stock_config, tokenizer_settings
from dnabert_hf.hub.stock.tokenizer_json import build_stock_tokenizer
from dnabert_hf.inference.engine.checkpoint import Checkpoint, architecture_of, as_checkpoint
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig, vocabulary_size

__all__ = ["Export", "export"]

# Versions of ONNX's operators that torch writes.
_OPSETS = range(18, 24)
_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "README.md")
_TASKS = {
    "ForSequenceClassification": "sequence-classification",
    "ForTokenClassification": "token-classification",
    "ForMaskedLM": "masked-lm",
}


@dataclass(frozen=True)
class Export:
    """Result of an export.

    Attributes:
        folder: The folder that was written.
        task: What the files are for, as in `load_checkpoint`; "encoder" gives embeddings.
        differences: Largest difference of each file from the model, by format: of probabilities,
            or of other numbers relative to the largest of them, if that is above 1.
        sizes: Bytes of each format's files.
    """

    folder: Path
    task: str
    differences: dict[str, float]
    sizes: dict[str, int]

    def lines(self) -> list[str]:
        """Say it in lines of a name, a tab and what there is to know."""
        rows = [("model", self.task)]
        for name, difference in self.differences.items():
            what = f"within {difference:.1e} of the model, {self.sizes[name] / 1e6:.1f} MB"
            rows.append((name, what))
        return [f"{name}\t{text}" for name, text in (*rows, ("written", str(self.folder)))]


def export(
    model: Any,
    output: str | Path,
    *,
    formats: Sequence[str] = ("onnx",),
    embeddings: bool = False,
    tokenizer: Any = None,
    opset: int | None = None,
    overwrite: bool = False,
) -> Export:
    """Write a model for runtimes that need neither this package nor transformers.

    Batch and length stay open, and a sequence beyond the model's limit is cut into pieces inside
    the graph: a classifier takes any length and gives what `predict` gives, also where it averages
    over both strands; so do embeddings, as `embed` gives them. Heads over k-mers see each piece
    alone. Every file is run beside the model, on sequences of several
    lengths, before the folder gets its name. Beside the files lie `config.json`, a tokenizer of
    plain `tokenizers`, and a card with what reads them.

    Args:
        model: Checkpoint folder, repository id on the Hub, checkpoint that comes with the package,
            or a model, which is not changed.
        output: Folder to write.
        formats: "onnx" (`onnx/model.onnx`, where transformers.js and optimum look), "int8" (the
            same with weights of 8 bits, `onnx/model_quantized.onnx`, which is not exact),
            "openvino" (`openvino_model.xml`) and "torch" (`model.pt2`, for `torch.export.load`).
        embeddings: Whether to leave out the head and give hidden states and their mean over the
            k-mers.
        tokenizer: Tokenizer of the model; needed if that is an object.
        opset: Version of ONNX's operators, 18 to 23; None takes what torch prefers.
        overwrite: Whether to replace an earlier export.

    Returns:
        What was written, and how far it is from the model.

    Raises:
        ValueError: If the model cannot be put into a graph or the folder must not be written.
        ImportError: If a package is missing that a format needs.
        RuntimeError: If a file says something else than the model.
    """
    output = Path(output)
    _check_choice(formats, opset)
    patterns = [file for each in FORMATS.values() for file in each.files]
    check_folder(
        output,
        overwrite=overwrite,
        marker="config.json",
        known=(*_FILES, *patterns),
        inputs=[model],
    )
    task = _task_of(model, embeddings)
    with torch.random.fork_rng(devices=[]):
        # An engine, which checks the files, puts layers of its own into models that are ours.
        checkpoint = as_checkpoint(model, tokenizer, task=task)._replace(is_ours=False)
        _check_model(checkpoint, task)
        with atomic_folder(output) as partial:
            _write_settings(checkpoint, task, partial)
            expected = Expected(checkpoint, task, build_stock_tokenizer(checkpoint.tokenizer.k))
            differences = _write_formats(checkpoint, task, partial, formats, opset, expected)
            sizes = {
                name: sum((partial / file).stat().st_size for file in FORMATS[name].files)
                for name in formats
            }
            done = Export(output, task, differences, sizes)
            source = str(model) if isinstance(model, str | Path) else type(model).__name__
            known = read_source_card(Path(locate(source)), OURS)
            card = exported_card(done, checkpoint.model.config, source=source, card=known)
            (partial / "README.md").write_text(card, encoding="utf-8")
    return done


def _check_choice(formats: Sequence[str], opset: int | None) -> None:
    if not formats or len(set(formats)) < len(formats) or not set(formats) <= set(FORMATS):
        raise ValueError(
            f"formats must be some of {', '.join(FORMATS)}, each once, got "
            f"{', '.join(formats) or 'none'}; on the command line "
            f"{', '.join(f'--{name}' for name in FORMATS)}"
        )
    if opset is not None and opset not in _OPSETS:
        raise ValueError(
            f"opset must be from {_OPSETS[0]} to {_OPSETS[-1]}, got {opset}; leave it out for what "
            "suits the installed torch"
        )
    for name in formats:
        FORMATS[name].check_installed(name)


def _task_of(model: Any, embeddings: bool) -> str:
    if embeddings:
        return "encoder"
    architecture = architecture_of(model)
    return next((task for end, task in _TASKS.items() if architecture.endswith(end)), "encoder")


def _check_model(checkpoint: Checkpoint, task: str) -> None:
    config: DNABertConfig = checkpoint.model.config
    if task == "sequence-classification" and config.segment_pooling != "mean":
        raise ValueError(
            f"{checkpoint.name}: a graph joins the pieces of long sequences by their mean, found "
            f'segment_pooling="{config.segment_pooling}", whose head wants the pieces counted; '
            'train with segment_pooling="mean", or export embeddings (--embeddings)'
        )
    if config.vocab_size != vocabulary_size(config.k or 0):
        raise ValueError(
            f"{checkpoint.name}: tokenizer.json has the {vocabulary_size(config.k or 0)} tokens of "
            f"k = {config.k}, found a model of {config.vocab_size}; take out the added tokens"
        )


def _write_settings(checkpoint: Checkpoint, task: str, folder: Path) -> None:
    """Write what tells other libraries what the files are, and the tokenizer."""
    config = stock_config(checkpoint.model.config)
    config.architectures = [STOCK_CLASSES[task].__name__]
    config.save_pretrained(folder)
    build_stock_tokenizer(checkpoint.tokenizer.k).save(str(folder / "tokenizer.json"))
    # Without model_max_length: programs that cut at it do so without a word.
    text = json.dumps(tokenizer_settings(), indent=2) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")


def _write_formats(
    checkpoint: Checkpoint,
    task: str,
    folder: Path,
    formats: Sequence[str],
    opset: int | None,
    expected: Expected,
) -> dict[str, float]:
    """Write and check each format, and give its difference from the model."""
    program = trace(build_graph(checkpoint.model, task))
    differences = {}
    with TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-") as scratch:
        whole = Path(scratch) / "model.onnx"
        # The program of torch first, which writing ONNX changes.
        for name in sorted(formats, key=lambda each: each != "torch"):
            each, path = FORMATS[name], folder / FORMATS[name].files[0]
            path.parent.mkdir(exist_ok=True)
            if name != "torch" and not whole.exists():
                write_onnx(program, whole, opset)
            each.write(program if name == "torch" else whole, path)
            differences[name] = expected.difference(each.open(path))
            if each.is_exact and not differences[name] <= TOLERANCE:
                raise RuntimeError(
                    f"{path.name} must say what the model says, to {TOLERANCE}, but differs by "
                    f"{differences[name]:.1e}; nothing was written: please report this"
                )
    return {name: differences[name] for name in formats}
