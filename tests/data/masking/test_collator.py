import numpy as np
import pytest
import torch
from transformers import BertTokenizer

from dnabert_hf import DataCollatorForContiguousKmerMasking, DNABertTokenizer
from dnabert_hf.data.masking.schedule import MaskingStage

KS = range(2, 9)


def batch_of_ids(k: int, rows: int = 64, width: int = 512, seed: int = 0) -> np.ndarray:
    ids = np.random.default_rng(seed).integers(5, 5 + 4**k, (rows, width))
    ids[:, 0], ids[:, -1] = 2, 3
    return ids


@pytest.mark.parametrize("k", KS)
@pytest.mark.parametrize("share", [0.15, 0.2])
def test_masked_share_is_the_one_asked_for(k, share):
    collate = DataCollatorForContiguousKmerMasking(DNABertTokenizer(k=k), share, seed=1)
    labels = [collate.mask(batch_of_ids(k, seed=seed))[1][:, 1:-1] for seed in range(20)]
    masked = [(each != -100).mean() for each in labels]
    # 20 x 64 x 510 k-mers in runs of about k: the standard error is below 0.0015.
    assert np.mean(masked) == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize("k", KS)
def test_short_sequences_get_the_same_share(k):
    collate = DataCollatorForContiguousKmerMasking(DNABertTokenizer(k=k), seed=1)
    ids = batch_of_ids(k, rows=20_000, width=k + 3)
    assert (collate.mask(ids)[1][:, 1:-1] != -100).mean() == pytest.approx(0.15, abs=0.01)


@pytest.mark.parametrize("k", KS)
def test_masked_runs_are_whole_spans(k):
    """A run that touches neither end is the union of spans of k tokens, so at least k long."""
    collate = DataCollatorForContiguousKmerMasking(DNABertTokenizer(k=k), seed=1)
    labels = collate.mask(batch_of_ids(k))[1]
    lengths = []
    for row in labels[:, 1:-1] != -100:
        edges = np.flatnonzero(np.diff(row, prepend=False, append=False)).reshape(-1, 2)
        lengths += [end - start for start, end in edges if start > 0 and end < len(row)]
    assert len(lengths) > 100
    assert min(lengths) == k


@pytest.mark.parametrize("k", KS)
def test_tokens_become_mask_random_kmers_or_stay_as_published(k):
    collate = DataCollatorForContiguousKmerMasking(DNABertTokenizer(k=k), seed=1)
    ids = batch_of_ids(k, rows=256)
    inputs, labels = collate.mask(ids)
    is_masked = labels != -100
    assert np.array_equal(labels[is_masked], ids[is_masked])
    assert np.array_equal(inputs[~is_masked], ids[~is_masked])
    replaced = inputs[is_masked]
    assert (replaced == 4).mean() == pytest.approx(0.8, abs=0.01)
    assert ((replaced != 4) & (replaced != ids[is_masked])).mean() == pytest.approx(0.1, abs=0.01)
    assert replaced[replaced != 4].min() >= 5


def test_per_span_decides_once_for_a_run():
    tokenizer = DNABertTokenizer(k=6)
    ids = batch_of_ids(6, rows=256)
    per_token = DataCollatorForContiguousKmerMasking(tokenizer, seed=1)
    per_span = DataCollatorForContiguousKmerMasking(tokenizer, seed=1, per_span=True)

    def share_of_runs_with_a_visible_kmer(collate):
        inputs, labels = collate.mask(ids)
        n_runs = n_leaks = 0
        for row in range(len(ids)):
            is_masked = labels[row] != -100
            edges = np.flatnonzero(np.diff(is_masked, prepend=False, append=False)).reshape(-1, 2)
            for start, end in edges:
                same = inputs[row, start:end] == ids[row, start:end]
                n_runs += 1
                n_leaks += same.any()
        return n_leaks / n_runs

    # Per token, 1 - 0.9**6 = 47 % of spans of six show a k-mer; merged runs show more.
    assert share_of_runs_with_a_visible_kmer(per_token) > 0.45
    assert share_of_runs_with_a_visible_kmer(per_span) == pytest.approx(0.1, abs=0.02)


def test_special_unknown_and_added_tokens_and_padding_are_never_masked(tokenizer):
    tokenizer.add_tokens(["<human>"])
    collate = DataCollatorForContiguousKmerMasking(tokenizer, 0.9, seed=1)
    batch = collate(["ACGTNACGTACGT", "<human>ACGT", "ACG"])
    ids = tokenizer(["ACGTNACGTACGT", "<human>ACGT", "ACG"], padding=True, return_tensors="pt")
    is_kmer = (ids["input_ids"] >= 5) & (ids["input_ids"] < 69)
    assert (batch["labels"][~is_kmer] == -100).all()
    assert torch.equal(batch["input_ids"][~is_kmer], ids["input_ids"][~is_kmer])
    assert (batch["labels"][is_kmer] != -100).any()
    assert torch.equal(batch["attention_mask"], ids["attention_mask"])


def test_every_form_of_input_gives_the_same_batch(tokenizer):
    sequences = ["ACGTACGTAC", "ACGTAC"]
    lists = tokenizer(sequences)["input_ids"]
    forms = [
        sequences,
        lists,
        [np.array(ids) for ids in lists],
        [torch.tensor(ids) for ids in lists],
        [{"input_ids": ids, "labels": 1} for ids in lists],
        [{"sequence": sequence} for sequence in sequences],
    ]
    batches = [DataCollatorForContiguousKmerMasking(tokenizer, seed=3)(form) for form in forms]
    for batch in batches[1:]:
        for name, tensor in batches[0].items():
            assert torch.equal(batch[name], tensor), name
            assert tensor.dtype == torch.int64


def test_padding_to_a_multiple(tokenizer):
    for examples in (["ACGTACGTAC"], tokenizer(["ACGTACGTAC"])["input_ids"]):
        collate = DataCollatorForContiguousKmerMasking(tokenizer, pad_to_multiple_of=8)
        assert collate(examples)["input_ids"].shape == (1, 16)


def test_masks_depend_on_the_seed_and_not_on_the_number_of_workers(tokenizer):
    data = ["ACGTACGTACGTTGCA" * 4] * 8 + ["GGCATTAGACCATTGA" * 4] * 8

    def masks(seed, n_workers):
        collate = DataCollatorForContiguousKmerMasking(tokenizer, seed=seed)
        loader = torch.utils.data.DataLoader(data, 4, collate_fn=collate, num_workers=n_workers)
        return torch.cat([batch["labels"] for batch in loader])

    assert torch.equal(masks(7, 0), masks(7, 2))
    assert not torch.equal(masks(7, 0), masks(8, 0))


def test_shuffled_batches_get_fresh_masks(tokenizer):
    collate = DataCollatorForContiguousKmerMasking(tokenizer, seed=7)
    a, b = "ACGTACGTACGTTGCA" * 8, "GGCATTAGACCATTGA" * 8
    assert not torch.equal(collate([a, b])["labels"][0], collate([b, a])["labels"][1])


def test_without_a_seed_masks_follow_torch(tokenizer):
    def labels():
        torch.manual_seed(5)
        return DataCollatorForContiguousKmerMasking(tokenizer)(["ACGTACGTACGTTGCA" * 8])["labels"]

    assert torch.equal(labels(), labels())


def rows_of(batch):
    """Masked ids and labels of each row, without its padding."""
    lengths = batch["attention_mask"].sum(dim=1).tolist()
    rows = zip(batch["input_ids"].tolist(), batch["labels"].tolist(), lengths, strict=True)
    return [(ids[:n], labels[:n]) for ids, labels, n in rows]


@pytest.mark.parametrize("per_span", [False, True])
@pytest.mark.parametrize("max_spans", [(None, None), (None, 9), (3, 9)])
def test_masks_depend_on_seed_and_index_and_not_on_the_batch(tokenizer, per_span, max_spans):
    stages = [MaskingStage(8 * i, 0.2 + i / 10, span) for i, span in enumerate(max_spans)]
    rng = np.random.default_rng(0)
    examples = [
        {"input_ids": np.r_[2, rng.integers(5, 69, 20 + 5 * i), 3].astype(np.uint16), "index": i}
        for i in range(16)
    ]
    collate = DataCollatorForContiguousKmerMasking(
        tokenizer, per_span=per_span, seed=3, schedule=stages, pad_to_multiple_of=8
    )
    together = rows_of(collate(examples))
    assert together == [rows_of(collate([example]))[0] for example in examples]
    assert together[::-1] == rows_of(collate(examples[::-1]))
    halves = rows_of(collate(examples[:8])) + rows_of(collate(examples[8:]))
    assert together == halves
    collate.seed = 4
    assert together != rows_of(collate(examples))


def test_the_same_sequence_gets_another_mask_at_another_index(tokenizer):
    collate = DataCollatorForContiguousKmerMasking(tokenizer, seed=3)
    examples = [{"sequence": "ACGTACGTTGCA" * 8, "index": index} for index in (0, 1, 2**40)]
    labels = [tuple(row) for row in collate(examples)["labels"].tolist()]
    assert len(set(labels)) == 3


def test_masks_of_neighbouring_indices_and_columns_are_independent():
    collate = DataCollatorForContiguousKmerMasking(DNABertTokenizer(k=3), 0.2, seed=3)
    ids = batch_of_ids(3, rows=4000, width=50)
    is_masked = (collate.mask(ids, np.arange(4000))[1] != -100)[:, 1:-1].astype(float)
    # The standard error of a correlation of 4,000 pairs is 0.016; columns 3 apart share no span.
    by_row = [np.corrcoef(is_masked[1:, i], is_masked[:-1, i])[0, 1] for i in range(0, 48, 6)]
    by_column = [np.corrcoef(is_masked[:, i], is_masked[:, i + 3])[0, 1] for i in range(0, 45, 6)]
    assert np.abs([*by_row, *by_column]).max() < 0.07
    assert is_masked.mean(axis=0) == pytest.approx(0.2, abs=0.03)


def test_the_schedule_goes_by_the_index(tokenizer):
    stages = [MaskingStage(0, 0.1), MaskingStage(1000, 0.4), MaskingStage(3000, 0.7)]
    collate = DataCollatorForContiguousKmerMasking(tokenizer, seed=1, schedule=stages)
    ids = batch_of_ids(3, rows=4000, width=62)
    shuffled = np.random.default_rng(0).permutation(4000)
    shares = (collate.mask(ids, shuffled)[1][:, 1:-1] != -100).mean(axis=1)
    by_index = np.empty(4000)
    by_index[shuffled] = shares
    for begin, end, share in ((0, 1000, 0.1), (1000, 3000, 0.4), (3000, 4000, 0.7)):
        assert by_index[begin:end].mean() == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("k", KS)
def test_spans_of_random_masks_have_any_length_and_the_share_is_kept(k):
    stages = [MaskingStage(0, 0.05, k + 6)]
    collate = DataCollatorForContiguousKmerMasking(DNABertTokenizer(k=k), seed=1, schedule=stages)
    labels = collate.mask(batch_of_ids(k, rows=800), np.arange(800))[1][:, 1:-1]
    assert (labels != -100).mean() == pytest.approx(0.05, abs=0.003)
    lengths = []
    for row in labels != -100:
        edges = np.flatnonzero(np.diff(row, prepend=False, append=False)).reshape(-1, 2)
        lengths += [end - start for start, end in edges if start > 0 and end < len(row)]
    counts = np.bincount(lengths, minlength=k + 7)
    assert counts[:k].sum() == 0
    # Seven lengths alike, but for the 5 % or so that touch another span.
    alike = counts[k : k + 7] / counts[k : k + 7].mean()
    assert alike == pytest.approx(np.ones(7), abs=0.2)
    assert counts[k + 7 :].sum() < 0.1 * len(lengths)


def test_a_schedule_of_one_stage_needs_no_index(tokenizer):
    stages = [MaskingStage(0, 0.5, 6)]
    collate = DataCollatorForContiguousKmerMasking(tokenizer, seed=1, schedule=stages)
    labels = collate.mask(batch_of_ids(3))[1][:, 1:-1]
    assert (labels != -100).mean() == pytest.approx(0.5, abs=0.02)


def test_a_schedule_without_indices_is_refused(tokenizer):
    stages = [MaskingStage(0, 0.1), MaskingStage(5, 0.2)]
    collate = DataCollatorForContiguousKmerMasking(tokenizer, schedule=stages)
    with pytest.raises(ValueError, match='a schedule needs the "index" of each example'):
        collate(["ACGTACGTAC"])


@pytest.mark.parametrize(
    "stages",
    [
        [MaskingStage(1, 0.1)],
        [MaskingStage(0, 0.1), MaskingStage(9, 0.1), MaskingStage(5, 0.1)],
        [MaskingStage(0, 0.1, 2)],
    ],
)
def test_stages_out_of_order_or_with_spans_below_k_are_refused(tokenizer, stages):
    with pytest.raises(ValueError, match="must begin at 0, follow each other and have spans of k"):
        DataCollatorForContiguousKmerMasking(tokenizer, schedule=stages)


def test_wrong_arguments_are_named(tokenizer, tmp_path):
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.5"):
        DataCollatorForContiguousKmerMasking(tokenizer, 1.5)
    with pytest.raises(ValueError, match="between 0 and 1, got 0"):
        DataCollatorForContiguousKmerMasking(tokenizer, schedule=[MaskingStage(0, 0)])
    tokenizer.save_vocabulary(str(tmp_path))
    bert = BertTokenizer(str(tmp_path / "vocab.txt"))
    with pytest.raises(ValueError, match="with a k, got BertTokenizer"):
        DataCollatorForContiguousKmerMasking(bert)
    with pytest.raises(ValueError, match='must hold "input_ids" or "sequence", found \'ids\''):
        DataCollatorForContiguousKmerMasking(tokenizer)([{"ids": [2, 3]}])
