"""A converted repository, run beside stock BERT on the weights that it was made from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
)

from dnabert_hf.hub.stock.bert_repository import stock_config

__all__ = ["TOLERANCE", "check_repository"]

TOLERANCE = 1e-6
_AUTO_CLASSES: dict[str, Any] = {
    "encoder": AutoModel,
    "masked-lm": AutoModelForMaskedLM,
    "sequence-classification": AutoModelForSequenceClassification,
    "token-classification": AutoModelForTokenClassification,
}
_LENGTHS = (24, 100, 61)


def check_repository(
    folder: Path, model: Any, source: Mapping[str, torch.Tensor], rows: np.ndarray | None, task: str
) -> float:
    """Load a repository as its users will, and compare what it says.

    Its hidden states are compared with those of `transformers.BertModel` on the weights of the
    source, fed with the ids of the source's vocabulary; its output with that of `model`. Where
    padding is attended to, BERT gets the original's mask: 1 for tokens and 0 for padding, added to
    the scores.

    Args:
        folder: The repository.
        model: The model that it was saved from.
        source: Weights of the source by BERT's names, in the source's order of the vocabulary.
        rows: Row of each of our tokens in the source; None if the order is the same.
        task: What the model is for.

    Returns:
        The largest difference found.

    Raises:
        RuntimeError: If it is above `TOLERANCE`.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    loaded = _AUTO_CLASSES[task].from_pretrained(folder, dtype=torch.float32).eval()
    padded_to = model.config.attended_padding
    longest = (padded_to or model.config.max_position_embeddings) - 2
    generator = np.random.default_rng(0)
    sequences = [
        "".join(generator.choice(list("ACGT" * 10 + "N"), min(n, longest))) for n in _LENGTHS
    ]
    inputs = tokenizer(sequences, padding=True, return_tensors="pt")
    stock = _stock_encoder(model.config, source)
    theirs = dict(inputs)
    if padded_to:
        options = {"padding": "max_length", "max_length": padded_to}
        theirs = dict(tokenizer(sequences, return_tensors="pt", **options))
        theirs["attention_mask"] = theirs["attention_mask"][:, None, None].float()
    if rows is not None:
        theirs["input_ids"] = torch.from_numpy(rows)[theirs["input_ids"]]
    is_token = inputs["attention_mask"].bool()
    with torch.no_grad():
        output = loaded(**inputs, output_hidden_states=True)
        hidden = output.hidden_states[-1]
        expected = stock(**theirs).last_hidden_state[:, : hidden.shape[1]]
        logits, own_logits = output[0], model.eval()(**inputs)[0]
    difference = max(
        float((hidden - expected)[is_token].abs().max()), float((logits - own_logits).abs().max())
    )
    if not difference <= TOLERANCE:
        raise RuntimeError(
            f"the converted model must give what BERT gives on the same weights, to {TOLERANCE}, "
            f"but differs by {difference:.1e}; nothing was written: please report this"
        )
    return difference


def _stock_encoder(config: Any, source: Mapping[str, torch.Tensor]) -> BertModel:
    weights = {
        key.removeprefix("bert."): value.float()
        for key, value in source.items()
        if key.startswith("bert.") and not key.startswith("bert.pooler.")
    }
    fields = stock_config(config).to_dict()
    fields["vocab_size"] = len(weights["embeddings.word_embeddings.weight"])
    encoder = BertModel(BertConfig.from_dict(fields), add_pooling_layer=False)
    encoder.load_state_dict(weights)
    return encoder.eval()
