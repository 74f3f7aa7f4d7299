"""Labels of bases on their way through training."""

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict

from dnabert_hf import DNABertTokenizer
from dnabert_hf.training.finetuning.token_labels import (
    BaseCollator,
    average_kmer_logits,
    kmer_loss,
    window_dataset,
)


def rows_of(*lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [
        {
            "id": f"s{i}",
            "sequence": "".join(rng.choice(list("ACGT"), n)),
            "labels": rng.choice([0, 1, 2, -100], n).tolist(),
            "length": n,
        }
        for i, n in enumerate(lengths)
    ]


@pytest.mark.parametrize("k", range(2, 9))
def test_votes_come_back_as_the_labels_of_bases(k):
    rows = rows_of(k, 20, 13)
    batch = BaseCollator(DNABertTokenizer(k=k))(rows)
    logits = np.zeros((*batch["input_ids"].shape, 3))
    joined = average_kmer_logits(logits, batch["labels"].numpy())
    for index, row in enumerate(rows):
        known = [i for i, label in enumerate(row["labels"]) if label != -100]
        of_row = joined.rows == index
        assert joined.positions[of_row].tolist() == known
        assert joined.labels[of_row].tolist() == [row["labels"][i] for i in known]
    assert joined.probabilities == pytest.approx(1 / 3)


def test_a_base_gets_the_mean_of_the_kmers_over_it():
    (row,) = rows_of(8)
    row["labels"] = [0] * 8
    votes = BaseCollator(DNABertTokenizer(k=3))([row])["labels"].numpy()
    logits = np.random.default_rng(1).normal(size=(1, 8, 2))
    of_kmers = np.exp(logits[0, 1:7, 1]) / np.exp(logits[0, 1:7]).sum(axis=1)
    expected = [of_kmers[max(0, i - 2) : i + 1].mean() for i in range(8)]
    assert average_kmer_logits(logits, votes).probabilities[:, 1] == pytest.approx(expected)


def test_the_loss_is_the_cross_entropy_of_every_vote_whatever_the_batches():
    rows = rows_of(9, 14, 6)
    collate = BaseCollator(DNABertTokenizer(k=3))
    torch.manual_seed(0)
    table = torch.randn(69, 3)  # logits of each token id
    batch = collate(rows)
    whole = kmer_loss(table[batch["input_ids"]], batch["labels"])
    expected, n_votes = 0.0, 0
    for row in rows:
        ids = collate.tokenizer(row["sequence"])["input_ids"][1:-1]
        for i, kmer in enumerate(ids):
            for label in row["labels"][i : i + 3]:
                if label != -100:
                    expected -= table[kmer].log_softmax(0)[label].item()
                    n_votes += 1
    assert whole.item() == pytest.approx(expected / n_votes, rel=1e-5)
    parts = [
        kmer_loss(table[part["input_ids"]], part["labels"], n_votes)
        for part in (collate(rows[:1]), collate(rows[1:]))
    ]
    assert sum(parts).item() == pytest.approx(whole.item(), rel=1e-5)
    weights = torch.tensor([0.0, 2.0, 0.0])
    of_one = kmer_loss(table[batch["input_ids"]], batch["labels"], n_votes, weights=weights)
    only = torch.where(batch["labels"] == 1, batch["labels"], -100)
    assert of_one.item() == pytest.approx(
        2 * kmer_loss(table[batch["input_ids"]], only, n_votes).item(), rel=1e-5
    )


def test_long_rows_are_cut_and_every_label_is_kept_once():
    rows = rows_of(15, 50, 20)
    splits = window_dataset(DatasetDict(train=Dataset.from_list(rows)), k=3, n_kmers=18)
    cut = list(splits["train"])
    assert [row["length"] for row in cut] == [len(row["sequence"]) for row in cut]
    assert max(row["length"] for row in cut) <= 20
    assert cut[0]["id"] == "s0"
    labels = {}
    for row in cut:
        name, _, place = row["id"].partition(":")
        start = int(place.split("-")[0]) if place else 0
        for i, label in enumerate(row["labels"]):
            if label != -100:
                assert (name, start + i) not in labels
                labels[name, start + i] = label
    expected = {
        (row["id"], i): label
        for row in rows
        for i, label in enumerate(row["labels"])
        if label != -100
    }
    assert labels == expected
