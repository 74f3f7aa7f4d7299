"""Repositories in the shape that others write, tiny."""

import itertools
import json
import re
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
STOCK = {
    "BertForMaskedLM": BertForMaskedLM,
    "BertForSequenceClassification": BertForSequenceClassification,
    "BertForTokenClassification": BertForTokenClassification,
    "BertModel": BertModel,
}
# As transformers 2.5 and the original's fine-tuning script left them in config.json.
OLD_FIELDS = {
    "do_sample": False,
    "eos_token_ids": 0,
    "finetuning_task": "dnaprom",
    "is_decoder": False,
    "length_penalty": 1.0,
    "max_length": 20,
    "num_beams": 1,
    "num_labels": 2,
    "num_return_sequences": 1,
    "num_rnn_layer": 2,
    "output_past": True,
    "pruned_heads": {},
    "repetition_penalty": 1.0,
    "rnn": "lstm",
    "rnn_dropout": 0.0,
    "rnn_hidden": 768,
    "split": 10,
    "temperature": 1.0,
    "top_k": 50,
    "top_p": 1.0,
    "torchscript": False,
    "use_bfloat16": False,
}


def kmers(k, bases="ATCG"):
    return ["".join(kmer) for kmer in itertools.product(bases, repeat=k)]


def stock_model(k, architecture="BertForMaskedLM", **fields):
    """A stock BERT with random weights, far from zero, and a bias on every output."""
    config = BertConfig(
        vocab_size=5 + 4**k,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        initializer_range=0.5,
        **fields,
    )
    model = STOCK[architecture](config).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    return model


def old_names(model, *, extra=()):
    """The state dict as the original's code writes it."""
    weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
    if isinstance(model, BertForMaskedLM | BertForTokenClassification):  # had a pooler too
        weights["bert.pooler.dense.weight"] = torch.randn(16, 16)
        weights["bert.pooler.dense.bias"] = torch.zeros(16)
    prefix = "" if isinstance(model, BertModel) else "bert."
    weights[f"{prefix}embeddings.position_ids"] = torch.arange(512)[None]
    weights.update(extra)
    renames = (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta"))
    for new, old in renames:
        weights = {name.replace(new, old): value for name, value in weights.items()}
    return weights


def write_original(folder, model, *, weights=None, tokens=None, safetensors=False, **fields):
    """A folder as the original's authors publish them."""
    folder.mkdir(exist_ok=True)
    config = model.config.to_dict() | OLD_FIELDS | {"architectures": [type(model).__name__]}
    for name in ("model_type", "transformers_version", "dtype"):
        config.pop(name, None)
    config = config | fields
    (folder / "config.json").write_text(json.dumps(config))
    k = {5 + 4**k: k for k in range(2, 9)}[model.config.vocab_size]
    tokens = [*SPECIAL, *kmers(k)] if tokens is None else tokens
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens))
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true, "max_len": 512}')
    (folder / "special_tokens_map.json").write_text(
        json.dumps({f"{t[1:-1].lower()}_token": t for t in SPECIAL})
    )
    weights = old_names(model) if weights is None else weights
    if safetensors:
        save_file(
            {name: value.contiguous().clone() for name, value in weights.items()},
            folder / "model.safetensors",
        )
    else:  # as torch 1.4 wrote it
        torch.save(weights, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    return folder


def write_multimolecule(folder, model, k, *, head="lm_head"):
    """The same network as multimolecule 0.2.2 saves it: other names and order, a token more."""
    theirs = ["<pad>", "<cls>", "<eos>", "<unk>", "<mask>", "<null>", *kmers(k, "ACGT")]
    ours = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", None, *kmers(k, "ACGT")]
    ids = {token: i for i, token in enumerate([*SPECIAL, *kmers(k)])}
    rows = torch.tensor([ids.get(token, 1) for token in ours])
    weights = {}
    for name, value in model.state_dict().items():
        if value.ndim and len(value) == len(ids):
            value = value[rows]
            value[5] = 9.0
        for old, new in (
            (r"^bert\.", "model."),
            (r"^cls\.predictions\.", "lm_head."),
            (r"^classifier\.", f"{head}.decoder."),
            (r"LayerNorm", "layer_norm"),
        ):
            name = re.sub(old, new, name)
        if not name.startswith("lm_head.decoder"):  # tied, so not in their files
            weights[name] = value.contiguous().clone()
    folder.mkdir()
    save_file(weights, folder / "model.safetensors")
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in theirs))
    fields = model.config.to_dict()
    for name in ("id2label", "label2id", "architectures"):
        fields.pop(name, None)
    fields |= {
        "hidden_dropout": fields.pop("hidden_dropout_prob"),
        "attention_dropout": fields.pop("attention_probs_dropout_prob"),
        "model_type": "dnabert",
        "architectures": ["DnaBertModel"],
        "vocab_size": len(theirs),
        "position_embedding_type": "absolute",
        "head": None,
        "lm_head": None,
        "id2label": None,
        "label2id": None,
        "null_token_id": 5,
        "num_labels": 1,
    }
    (folder / "config.json").write_text(json.dumps(fields))
    return folder


@pytest.fixture
def shapes():
    """The functions of this module: pytest does not let tests import them."""
    return SimpleNamespace(
        stock_model=stock_model,
        old_names=old_names,
        write_original=write_original,
        write_multimolecule=write_multimolecule,
        tokens=lambda k: [*SPECIAL, *kmers(k)],
    )


@pytest.fixture
def original(tmp_path):
    return write_original(tmp_path / "original", stock_model(3))


@pytest.fixture
def inputs():
    """Token ids of k = 3 with padding, as the original's vocabulary has them."""
    ids = torch.tensor([[2, 5, 30, 68, 1, 44, 3, 0], [2, 12, 36, 67, 62, 19, 20, 3]])
    return {"input_ids": ids, "attention_mask": (ids != 0).long()}
