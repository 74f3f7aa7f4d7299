"""Repositories that stock BERT reads: no code of ours, here or on the Hub."""

import json
from pathlib import Path
from typing import Any

from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    PreTrainedModel,
)

from dnabert_hf.hub.stock.tokenizer_json import build_stock_tokenizer
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig, vocabulary_size
from dnabert_hf.modeling.tokenization_dnabert import SPECIAL_TOKENS

__all__ = ["STOCK_CLASSES", "check_stock", "save_stock", "stock_config", "tokenizer_settings"]

STOCK_CLASSES: dict[str, type[PreTrainedModel]] = {
    "encoder": BertModel,
    "masked-lm": BertForMaskedLM,
    "sequence-classification": BertForSequenceClassification,
    "token-classification": BertForTokenClassification,
}
_OWN_FIELDS = (
    *("model_type", "auto_map", "architectures", "k", "token_pooling", "segment_pooling"),
    *("num_segments", "num_segment_rnn_layers", "padded_segments", "attended_padding"),
    *("transformers_version", "dtype"),
)


def check_stock(config: DNABertConfig, task: str, name: str) -> None:
    """Refuse a model that stock BERT cannot express.

    Args:
        config: Configuration of the model.
        task: What it is for.
        name: Where it comes from, for the error.

    Raises:
        ValueError: If a classifier pools otherwise than BERT's, padding is attended to, or the
            vocabulary has tokens beside the k-mers.
    """
    is_plain = config.token_pooling == "cls" and config.segment_pooling == "mean"
    if task == "sequence-classification" and not is_plain:
        raise ValueError(
            f"{name}: a stock classifier must pool [CLS] and take one piece of "
            f"{config.max_position_embeddings} tokens, found token_pooling="
            f'"{config.token_pooling}" and segment_pooling="{config.segment_pooling}", which only '
            "the full repository has; leave out --stock"
        )
    if config.attended_padding is not None:
        raise ValueError(
            f"{name}: stock BERT masks all padding, but this model attends to it (padded to "
            f"{config.attended_padding} tokens), which only the full repository has; leave out "
            "--stock"
        )
    if config.vocab_size != vocabulary_size(config.k or 0):
        raise ValueError(
            f"{name}: a stock repository must have the {vocabulary_size(config.k or 0)} tokens of "
            f"k = {config.k}, found {config.vocab_size}; leave out --stock"
        )


def stock_config(config: DNABertConfig) -> BertConfig:
    """Give the configuration of the same network as `transformers.BertModel` takes it.

    Args:
        config: Configuration of a DNABERT model.

    Example:
        >>> stock_config(DNABertConfig(k=3)).vocab_size
        69
    """
    fields = config.to_dict()
    return BertConfig.from_dict({key: fields[key] for key in fields if key not in _OWN_FIELDS})


def save_stock(model: Any, task: str, folder: Path) -> None:
    """Write a repository that plain transformers loads, without `trust_remote_code`.

    A stock model takes at most `max_position_embeddings` tokens: pass `truncation=True` for longer
    sequences. `build_stock_tokenizer` says what its tokenizer does where ours raises an error.

    Args:
        model: DNABERT model that `check_stock` lets pass.
        task: What it is for.
        folder: Folder to write to.
    """
    stock_class: Any = STOCK_CLASSES[task]
    options = {"add_pooling_layer": model.pooler is not None} if task == "encoder" else {}
    stock = stock_class(stock_config(model.config), **options)
    stock.load_state_dict(model.state_dict())
    stock.save_pretrained(folder)
    build_stock_tokenizer(model.config.k).save(str(folder / "tokenizer.json"))
    settings = tokenizer_settings(model_max_length=model.config.max_position_embeddings)
    text = json.dumps(settings, indent=2) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")


def tokenizer_settings(**more: Any) -> dict[str, Any]:
    """Give what tokenizer_config.json says beside a `tokenizer.json` of `build_stock_tokenizer`.

    Args:
        **more: Further settings.
    """
    names = ("pad", "unk", "cls", "sep", "mask")
    tokens = {f"{name}_token": token for name, token in zip(names, SPECIAL_TOKENS, strict=True)}
    return tokens | {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        **more,
    }
