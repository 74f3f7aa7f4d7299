"""Folders that sentence-transformers loads, with the vectors of `dnabert embed`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from dnabert_hf.cards.metadata import card_metadata, is_on_the_hub
from dnabert_hf.cards.render import fill_template
from dnabert_hf.checkpoints import locate
from dnabert_hf.files.atomic import atomic_folder
from dnabert_hf.files.outputs import MODEL_FILES, check_folder
from dnabert_hf.files.weights import quiet_transformers
from dnabert_hf.hub.stock.bert_repository import check_stock, save_stock
from dnabert_hf.inference.embed import Pooling
from dnabert_hf.inference.engine.checkpoint import load_checkpoint

__all__ = ["SentenceTransformersFolder", "save_sentence_transformers"]

_WEIGHTS, _POOLING = "1_WordWeights", "2_Pooling"
_FILES = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json")
_UNCOUNTED = ("[PAD]", "[CLS]", "[SEP]")


@dataclass(frozen=True)
class SentenceTransformersFolder:
    """What was written for sentence-transformers.

    Attributes:
        folder: The folder.
        pooling: "mean" or "cls".
        n_dims: Numbers in a vector.
        max_bases: Bases from which on sentence-transformers cuts a sequence.
    """

    folder: Path
    pooling: str
    n_dims: int
    max_bases: int

    def lines(self) -> list[str]:
        """Say it in lines of a name, a tab and what there is to know."""
        return [
            f"model\tSentenceTransformer, {self.n_dims} numbers a sequence, pooling {self.pooling}",
            f"note\tsentence-transformers cuts sequences at {self.max_bases} bases, unlike embed",
            f"written\t{self.folder}",
        ]


def save_sentence_transformers(
    source: str | Path,
    destination: str | Path,
    *,
    pooling: Pooling = "mean",
    overwrite: bool = False,
) -> SentenceTransformersFolder:
    """Write the encoder of a model as a folder for sentence-transformers.

    Stock BERT with a tokenizer.json, and the modules that pool as `embed` does: its mean leaves
    [CLS] and [SEP] out, for which the module WordWeights gives them no weight. Neither that library
    nor code of ours is needed here or there.

    Args:
        source: Folder, repository id on the Hub, or checkpoint of this package.
        destination: Folder to write.
        pooling: "mean" or "cls", as in `embed`.
        overwrite: Whether to replace an earlier folder.

    Raises:
        ValueError: If the model cannot be used or be stock BERT, or the folder must not be written.
    """
    if pooling not in ("mean", "cls"):
        raise ValueError(f"pooling must be mean or cls, one vector a sequence, got {pooling!r}")
    destination = Path(destination)
    known = (*MODEL_FILES, *_FILES, f"{_WEIGHTS}/*", f"{_POOLING}/*")
    check_folder(
        destination, overwrite=overwrite, marker="config.json", known=known, inputs=[source]
    )
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        model, tokenizer = load_checkpoint(locate(source), "encoder")
        check_stock(model.config, "encoder", str(source))
        with atomic_folder(destination) as partial:
            save_stock(model, "encoder", partial)
            vocabulary = tokenizer.get_vocab()
            _save_modules(
                partial, model.config, sorted(vocabulary, key=vocabulary.__getitem__), pooling
            )
            limit = model.config.max_position_embeddings - 3 + model.config.k
            name = destination.resolve().name
            card = fill_template(
                "sentence_transformers",
                metadata=card_metadata(
                    "sentence-similarity",
                    name=name,
                    tags=["dnabert", "sentence-transformers"],
                    library="sentence-transformers",
                ),
                name=name,
                k=model.config.k,
                hidden_size=model.config.hidden_size,
                pooling=pooling,
                limit=limit,
                source=source if is_on_the_hub(str(source)) else Path(source).name,
            )
            (partial / "README.md").write_text(card, encoding="utf-8")
    return SentenceTransformersFolder(destination, pooling, model.config.hidden_size, limit)


def _save_modules(folder: Path, config: Any, tokens: list[str], pooling: Pooling) -> None:
    """Write what sentence-transformers reads beside a model of transformers."""
    modules = [("", "Transformer")]
    if pooling == "mean":
        modules.append((_WEIGHTS, "WordWeights"))
        weights = dict.fromkeys(_UNCOUNTED, 0.0)
        content = {"vocab": tokens, "word_weights": weights, "unknown_word_weight": 1.0}
        _write(folder / _WEIGHTS / "config.json", content)
        column = torch.tensor([[weights.get(token, 1.0)] for token in tokens])
        save_file({"emb_layer.weight": column}, folder / _WEIGHTS / "model.safetensors")
    modules.append((_POOLING, "Pooling"))
    _write(
        folder / _POOLING / "config.json",
        {
            "word_embedding_dimension": config.hidden_size,
            "pooling_mode_cls_token": pooling == "cls",
            "pooling_mode_mean_tokens": pooling == "mean",
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
    )
    _write(
        folder / "modules.json",
        [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(modules)
        ],
    )
    settings = {"max_seq_length": config.max_position_embeddings, "do_lower_case": False}
    _write(folder / "sentence_bert_config.json", settings)
    _write(folder / "config_sentence_transformers.json", {"similarity_fn_name": "cosine"})


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
