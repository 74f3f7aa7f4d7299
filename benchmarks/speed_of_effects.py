"""What speed.py measures of effects: single bases changed, variants and dependency maps."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import random_sequences
from speed_of_models import SIZES, K, Row, flop_per_token, matrix_peak, rates, row
from transformers import BertConfig, BertForMaskedLM

from dnabert_hf import (
    DNABertConfig,
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertTokenizer,
    dependency_maps,
    open_genome,
    score_variants,
)
from dnabert_hf.inference.variants.mutagenesis import mutagenesis as change_all

__all__ = ["dependencies", "mutagenesis", "variants"]

_LETTERS = np.array(list("ACGT"))


class _OfOneHot(torch.nn.Module):
    """A classifier as tangermeme takes it: of one-hot DNA, (rows, 4, bases)."""

    def __init__(self, model: Any, tokenizer: Any):
        super().__init__()
        self.model, self.tokenizer = model, tokenizer

    def forward(self, one_hot: torch.Tensor) -> torch.Tensor:
        texts = ["".join(row) for row in _LETTERS[one_hot.argmax(dim=1).numpy()]]
        logits: torch.Tensor = self.model(**self.tokenizer(texts, return_tensors="pt")).logits
        return logits


def _one_hot(sequences: list[str]) -> torch.Tensor:
    codes = torch.tensor([["ACGT".index(base) for base in each] for each in sequences])
    return torch.nn.functional.one_hot(codes, 4).transpose(1, 2).float()


def _classifier() -> tuple[Any, Any]:
    config = DNABertConfig(k=K, **SIZES["mini"])
    return DNABertForSequenceClassification(config).eval(), DNABertTokenizer(k=K)


def _limit(config: Any, n_tokens: int, n_windows: float = 1) -> str:
    """Units a second at the matrix peak, each of so many whole windows."""
    flops = flop_per_token(config, n_tokens) * n_tokens * n_windows
    return f"{matrix_peak() * 1e9 / flops:,.0f}"


def mutagenesis() -> list[Row]:
    from tangermeme.saturation_mutagenesis import saturation_mutagenesis

    model, tokenizer = _classifier()
    sequence = random_sequences(1, 60)[0]
    with tempfile.TemporaryDirectory() as folder:
        found = rates(
            {
                "ours": lambda: change_all(
                    model,
                    [sequence],
                    output=f"{folder}/map.tsv",
                    tokenizer=tokenizer,
                    dtype="float32",
                    overwrite=True,
                ),
                "tangermeme, the same model": lambda: saturation_mutagenesis(
                    _OfOneHot(model, tokenizer), _one_hot([sequence]), device="cpu",
                    raw_outputs=True,
                ),
            },
            180,
            turns=3,
        )  # fmt: skip
    limit = _limit(model.config, 57)
    return [row("all changes of 60 bases, mini", "changes/s", found, limit)]


def variants() -> list[Row]:
    from tangermeme.variant_effect import substitution_effect

    model, tokenizer = _classifier()
    n, window = 100, 100
    (text,) = random_sequences(1, 25_000)
    sites = list(range(200, 200 + 200 * n, 200))
    others = {base: "ACGT"[("ACGT".index(base) + 1) % 4] for base in "ACGT"}
    windows = [text[site - window // 2 : site + window // 2] for site in sites]
    changes = [
        (index, window // 2, "ACGT".index(others[text[site]])) for index, site in enumerate(sites)
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "x.fa").write_text(f">a\n{text}\n")
        lines = [f"a\t{s + 1}\t.\t{text[s]}\t{others[text[s]]}\t.\t.\t." for s in sites]
        header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        (folder / "x.vcf").write_text(header + "\n".join(lines) + "\n")
        genome = open_genome(folder / "x.fa")
        found = rates(
            {
                "ours, from VCF and FASTA": lambda: score_variants(
                    model,
                    folder / "x.vcf",
                    genome,
                    output=folder / "effects.tsv",
                    window=window,
                    label="LABEL_1",
                    both_strands=False,
                    tokenizer=tokenizer,
                    dtype="float32",
                    overwrite=True,
                ),
                "tangermeme, from windows": lambda: substitution_effect(
                    _OfOneHot(model, tokenizer), _one_hot(windows), torch.tensor(changes),
                    device="cpu",
                ),
            },
            n,
            turns=3,
        )  # fmt: skip
    limit = _limit(model.config, window - K + 3, 2)
    return [row("variants, windows of 100 bases, mini", "variants/s", found, limit)]


def dependencies() -> list[Row]:
    model, tokenizer = DNABertForMaskedLM(DNABertConfig(k=K, **SIZES["mini"])).eval(), None
    tokenizer = DNABertTokenizer(k=K)
    stock = BertForMaskedLM(BertConfig(vocab_size=4101, **SIZES["mini"])).eval()
    (sequence,) = random_sequences(1, 100)
    distance, n_targets = 4, 100
    n_windows = sum(
        1 + 3 * (min(target + distance, 99) - max(target - distance, 0))
        for target in range(n_targets)
    )
    row_of = tokenizer([sequence], return_tensors="pt")["input_ids"]

    @torch.inference_mode()
    def passes() -> None:
        ids = row_of.expand(n_windows, -1)
        for part in ids.split(4096 // ids.shape[1]):
            states = stock.bert(input_ids=part).last_hidden_state
            stock.cls(states[:, 50 : 50 + K]).log_softmax(-1)

    found = rates(
        {
            "ours": lambda: dependency_maps(
                model, [sequence], tokenizer=tokenizer, max_distance=distance, dtype="float32"
            ),
            "transformers, passes of these windows alone": passes,
        },
        n_windows,
        turns=1,
    )
    work = "dependency map of 100 bases, 4 either side, mini"
    return [row(work, "windows/s", found, _limit(model.config, row_of.shape[1]))]
