"""What speed.py measures of data and models: a function a part, each giving lines of the table."""

import tempfile
import time
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from measuring import random_sequences
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    DataCollatorForLanguageModeling,
)

from dnabert_hf import (
    DataCollatorForContiguousKmerMasking,
    DNABertConfig,
    DNABertForSequenceClassification,
    DNABertTokenizer,
)

K = 6
SIZES = {
    "base": {},
    "mini": {
        "num_hidden_layers": 4,
        "hidden_size": 256,
        "num_attention_heads": 4,
        "intermediate_size": 1024,
    },
}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
_BATCH_TOKENS = 4096


class Row(NamedTuple):
    """A line of the table; rates are better where they are higher, seconds where lower."""

    work: str
    unit: str
    ours: float
    peers: dict[str, float]
    limit: str = "-"


def rates(contenders: dict[str, Callable[[], Any]], amount: float, *, turns: int) -> dict:
    """Let contenders take turns, after one to warm up; units a second of processor time."""
    least = dict.fromkeys(contenders, float("inf"))
    for turn in range(turns + 1):
        for name, work in contenders.items():
            begin = time.process_time()
            work()
            if turn:
                least[name] = min(least[name], time.process_time() - begin)
    return {name: amount / seconds for name, seconds in least.items()}


def row(work: str, unit: str, found: dict[str, float], limit: str = "-") -> Row:
    """Make a line of rates of which the first is ours."""
    ours, *_ = found
    return Row(work, unit, found.pop(ours), found, limit)


def bert_tokenizer() -> BertTokenizer:
    with tempfile.TemporaryDirectory() as folder:
        (vocab_file,) = DNABertTokenizer(k=K).save_vocabulary(folder)
        return BertTokenizer(vocab_file, do_lower_case=False)


def tokenizing() -> list[Row]:
    import multimolecule  # inside functions: a peer that is missing costs its rows alone

    sequences = random_sequences(1000, 512)
    ours, bert = DNABertTokenizer(k=K), bert_tokenizer()
    peer = multimolecule.DnaTokenizer(nmers=K, alphabet="nucleobase")

    def kmer_text() -> list[str]:
        return [" ".join(s[i : i + K] for i in range(len(s) - K + 1)) for s in sequences]

    found = rates(
        {
            "ours": lambda: ours(sequences, return_tensors="pt"),
            "BertTokenizer and k-merising": lambda: bert(kmer_text(), return_tensors="pt"),
            "multimolecule": lambda: peer(sequences, return_tensors="pt"),
        },
        512 * 1000 / 1e6,
        turns=3,
    )
    return [row("1,000 x 512 bases to tensors", "Mbases/s", found)]


def masking() -> list[Row]:
    from prokbert.ProkBERTDataCollator import ProkBERTDataCollator

    tokenizer, bert = DNABertTokenizer(k=K), bert_tokenizer()
    sequences = random_sequences(64, 510 + K - 1)
    ids = tokenizer(sequences, return_tensors="pt")["input_ids"]
    special = torch.zeros_like(ids)
    special[:, [0, -1]] = 1
    ours = DataCollatorForContiguousKmerMasking(tokenizer, seed=1)
    single = DataCollatorForLanguageModeling(bert)
    # Its collator as a whole fails with this transformers: the masking alone, on ready tensors.
    prokbert = ProkBERTDataCollator(bert, mlm_probability=0.025, mask_to_left=2, mask_to_right=3)
    prokbert.torch_token_dtype = torch.int64
    found = rates(
        {
            "ours, from raw DNA": lambda: ours(sequences),
            "transformers' collator, single k-mers, from ids": lambda: single(list(ids)),
            "ProkBERT's masking alone, from ids": lambda: prokbert.torch_mask_tokens(
                ids.clone(), special
            ),
        },
        64,
        turns=4,
    )
    return [row("masked batches of 64 x 512 tokens", "sequences/s", found)]


@cache
def matrix_peak() -> float:
    """GFLOP/s of the best float32 matrix product, measured once."""
    best = 0.0
    for n, m, k in ((2048, 2048, 2048), (4096, 3072, 768), (512, 3072, 768)):
        left, right = torch.randn(n, k), torch.randn(m, k)
        work = {"product": lambda a=left, b=right: torch.nn.functional.linear(a, b)}
        best = max(best, rates(work, 2 * n * m * k / 1e9, turns=4)["product"])
    return best


def flop_per_token(config: DNABertConfig, n_tokens: float) -> float:
    """Matrix work of the encoder for one token of a sequence of n_tokens."""
    hidden, wide = config.hidden_size, config.intermediate_size
    projections = 2 * (4 * hidden * hidden + 2 * hidden * wide)
    return config.num_hidden_layers * (projections + 2 * 2 * n_tokens * hidden)


def _sorted_batches(ids: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
    """Pad as stock users do who sort by length."""
    batches = []
    ids = sorted(ids, key=len, reverse=True)
    while ids:
        n = max(1, _BATCH_TOKENS // len(ids[0]))
        part, ids = ids[:n], ids[n:]
        padded = torch.nn.utils.rnn.pad_sequence(part, batch_first=True)
        batch = {"input_ids": padded}
        if bool((padded == 0).any()):
            batch["attention_mask"] = (padded != 0).long()
        batches.append(batch)
    return batches


def _three_models(size: str) -> tuple[Any, Any, Any]:
    """A classifier of ours, stock BERT with its weights, and multimolecule's of this size."""
    import multimolecule

    model = DNABertForSequenceClassification(DNABertConfig(k=K, **SIZES[size])).eval()
    stock = BertForSequenceClassification(BertConfig(vocab_size=4101, **SIZES[size])).eval()
    stock.load_state_dict(model.state_dict())
    peer_config = multimolecule.DnaBertConfig(vocab_size=4102, **SIZES[size])
    return model, stock, multimolecule.DnaBertForSequencePrediction(peer_config).eval()


def inference() -> list[Row]:
    from dnabert_hf.inference.predict import predict

    rng = np.random.default_rng(0)
    mixed = rng.integers(20, 508, size=5).tolist()
    cases = {
        "BERT-base, 512 tokens": ("base", [515] * 2, 2),
        "BERT-base, 100 bases": ("base", [100] * 10, 2),
        "BERT-base, 20 to 507 bases": ("base", mixed, 2),
        "mini, 100 bases": ("mini", [100] * 128, 3),
        "mini, 512 tokens": ("mini", [515] * 16, 3),
    }
    tokenizer, peak, table = DNABertTokenizer(k=K), matrix_peak(), []
    models = {size: _three_models(size) for size in SIZES}
    for name, (size, lengths, turns) in cases.items():
        model, stock, peer = models[size]
        sequences = [random_sequences(1, n, seed=i)[0] for i, n in enumerate(lengths)]
        ids = [torch.tensor(row) for row in tokenizer(sequences)["input_ids"]]
        n_tokens = sum(map(len, ids))

        @torch.inference_mode()
        def run(model: Any, ids: list[torch.Tensor] = ids) -> None:
            for batch in _sorted_batches(ids):
                model(**batch)

        found = rates(
            {
                "ours, from raw DNA": lambda m=model, s=sequences: predict(
                    m, s, tokenizer=tokenizer, dtype="float32"
                ),
                "transformers, sdpa, from sorted ids": lambda m=stock, run=run: run(m),
                "multimolecule, from sorted ids": lambda m=peer, run=run: run(m),
            },
            n_tokens,
            turns=turns,
        )
        flops = flop_per_token(model.config, float(np.mean(list(map(len, ids)))))
        table.append(row(f"prediction, {name}", "tokens/s", found, f"{peak * 1e9 / flops:,.0f}"))
    return table


def embeddings() -> list[Row]:
    from dnabert_hf.inference.embed import embed

    config = DNABertConfig(k=K, **SIZES["mini"])
    model = DNABertForSequenceClassification(config).eval()
    sequences, tokenizer = random_sequences(128, 100), DNABertTokenizer(k=K)
    stock = transformers.BertModel(BertConfig(vocab_size=4101, **SIZES["mini"])).eval()
    ids = tokenizer(sequences, return_tensors="pt")["input_ids"]

    @torch.inference_mode()
    def plain() -> None:
        for part in ids.split(_BATCH_TOKENS // ids.shape[1]):
            stock(input_ids=part).last_hidden_state[:, 1:-1].mean(dim=1)

    found = rates(
        {
            "ours, from raw DNA": lambda: embed(
                model.bert, sequences, tokenizer=tokenizer, dtype="float32"
            ),
            "transformers, sdpa, from ids": plain,
        },
        ids.numel(),
        turns=5,
    )
    limit = f"{matrix_peak() * 1e9 / flop_per_token(config, ids.shape[1]):,.0f}"
    return [row("embeddings (mean of k-mers), mini, 100 bases", "tokens/s", found, limit)]
