import logging
import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from dnabert_hf.data.labelled.similarity_split import assign_splits, group_similar, number_equal
from dnabert_hf.data.reading.sequences import reverse_complement


def random_dna(length, *, seed):
    return "".join(np.array(list("ACGT"))[np.random.default_rng(seed).integers(0, 4, length)])


DNA = random_dna(2000, seed=1)
OTHER = random_dna(2000, seed=2)


def are_grouped(*sequences, **options):
    return len(set(group_similar(sequences, **options).tolist())) == 1


def test_equal_sequences_get_the_number_of_the_first():
    sequences = ["GT", "AC", "GT", "AA", "AC"]
    assert number_equal(sequences).tolist() == [0, 1, 0, 2, 1]
    assert number_equal(sequences, both_strands=True).tolist() == [0, 0, 0, 1, 0]


def test_groups_are_numbered_by_their_first_members():
    one, other, third = DNA[:100], OTHER[:100], OTHER[500:600]
    sequences = [one, other, reverse_complement(one), third, other.lower(), third, one]
    assert group_similar(sequences).tolist() == [0, 1, 0, 2, 1, 2, 0]
    assert group_similar(sequences).dtype == np.int64


def test_rna_is_grouped_with_its_dna():
    assert are_grouped(DNA[:100], DNA[:100].replace("T", "U"))


@pytest.mark.parametrize("turned", [False, True])
def test_windows_that_overlap_form_a_chain(turned):
    windows = [DNA[start : start + 300] for start in (0, 100, 200, 300, 400)]
    if turned:
        windows[2] = reverse_complement(windows[2])
    # The first and the last share nothing.
    assert group_similar([*windows, OTHER[:300]]).tolist() == [0, 0, 0, 0, 0, 1]
    assert not are_grouped(windows[0], windows[4])


@pytest.mark.parametrize(
    ("overlap", "length", "together"),
    [
        # An overlap of n bases holds n - 23 24-mers; 24 are enough.
        (47, 300, True),
        (46, 300, False),
        # 33 bases have ten 24-mers, and eight are 80 % of them.
        (31, 33, True),
        (30, 33, False),
    ],
)
def test_the_shared_kmers_decide(overlap, length, together):
    start = length - overlap
    assert are_grouped(DNA[:length], DNA[start : start + length]) is together
    assert are_grouped(DNA[:length], DNA[start : start + 300]) is together


def test_a_kmer_counts_once_however_often_a_sequence_has_it():
    # Of its 17 24-mers two differ, and both are shared.
    assert are_grouped("CA" * 20, DNA[:50] + "CA" * 20)


def test_k_and_the_number_of_shared_kmers_can_be_set():
    # 30 shared bases hold eleven 20-mers.
    pair = (DNA[:100], DNA[70:170])
    assert are_grouped(*pair, k=20, n_shared=11)
    assert not are_grouped(*pair, k=20, n_shared=12)
    # By default k of them: 2 k - 1 bases.
    assert are_grouped(DNA[:100], DNA[69:169], k=16)
    assert not are_grouped(DNA[:100], DNA[70:170], k=16)
    # A 32-mer fills 64 bits.
    assert are_grouped(DNA[:100], reverse_complement(DNA[37:137]), k=32)
    assert not are_grouped(DNA[:100], reverse_complement(DNA[38:138]), k=32)


def test_kmers_with_other_letters_do_not_count():
    with_n = DNA[300:320] + "N" + DNA[321:600]
    # Between the N and the end of the overlap are 26 24-mers; without eight bases of it, 18.
    assert are_grouped(DNA[:370], with_n)
    assert not are_grouped(DNA[:362], with_n)


def test_sequences_shorter_than_k_are_only_looked_up_as_equal(caplog):
    short = DNA[:23]
    sequences = [short, DNA[:100], reverse_complement(short), DNA[1:24]]
    assert group_similar(sequences).tolist() == [0, 1, 0, 2]
    assert "2 of 3 different sequences hold no 24-mer of A, C, G and T" in caplog.text


def windows_with(stretch, n):
    """Sequences that have nothing but a stretch in common."""
    return [random_dna(100, seed=10 + i) + stretch + random_dna(100, seed=99 + i) for i in range(n)]


def test_a_kmer_in_more_than_16_sequences_joins_none():
    assert len(set(group_similar(windows_with(DNA[:100], 16)).tolist())) == 1
    assert group_similar(windows_with(DNA[:100], 17)).tolist() == list(range(17))


def test_copies_of_a_sequence_are_no_repeats():
    assert are_grouped(*[DNA[:300]] * 20, DNA[100:400])


def test_sequences_made_of_repeats_are_counted(caplog):
    with caplog.at_level(logging.WARNING):
        group_similar([*windows_with(DNA[:100], 17), DNA[:100], OTHER[:100]])
    assert "1 of 19 different sequences are made of repeats, 24-mers found in more" in caplog.text


def brute_force_pairs(sequences, k, n_shared):
    kmers = [
        {min(w, reverse_complement(w)) for w in (s[i : i + k] for i in range(len(s) - k + 1))}
        for s in sequences
    ]
    n_having = Counter(kmer for found in kmers for kmer in found)
    for a, b in combinations(range(len(sequences)), 2):
        n_needed = min(n_shared, math.ceil(0.8 * min(len(kmers[a]), len(kmers[b]))))
        if sum(n_having[kmer] <= 16 for kmer in kmers[a] & kmers[b]) >= n_needed:
            yield a, b


@pytest.mark.parametrize(("k", "n_shared"), [(4, 3), (5, 2), (7, 7), (9, 4)])
def test_groups_are_those_of_sets_of_kmers(k, n_shared):
    """Joining every pair whose sets of k-mers share enough gives the same groups."""
    rng = np.random.default_rng(k)
    starts, lengths = rng.integers(0, 1500, 200), rng.integers(k, 40, 200)
    sequences = [DNA[i : i + n] for i, n in zip(starts, lengths, strict=True)]
    sequences = [reverse_complement(s) if i % 3 else s for i, s in enumerate(sequences)]
    sequences = sorted({min(s, reverse_complement(s)) for s in sequences})
    groups = list(range(len(sequences)))
    for a, b in brute_force_pairs(sequences, k, n_shared):
        groups = [groups[a] if group == groups[b] else group for group in groups]
    expected = number_equal(groups).tolist()
    assert 1 < len(set(expected)) < len(sequences)
    assert group_similar(sequences, k=k, n_shared=n_shared).tolist() == expected


def test_millions_of_shared_kmers_are_counted_in_parts():
    # 120 pairs of 16 sequences share 40,000 k-mers each; so do those of a second family.
    families = [random_dna(40_000, seed=3), random_dna(40_000, seed=4)]
    sequences = [family[i:] for i in range(16) for family in families]
    assert group_similar(sequences, n_shared=39_000).tolist() == [0, 1] * 16


def test_no_sequences_have_no_groups():
    assert group_similar([]).shape == (0,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k must be 1 to 32, so that a k-mer fits into 64 bits, got 0"),
        ({"k": 33}, "k must be 1 to 32, .*got 33"),
        ({"n_shared": 0}, "n_shared must be 1 or more, got 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        group_similar([DNA], **options)


def test_a_letter_that_is_no_nucleotide_is_named():
    with pytest.raises(ValueError, match=r"sequence 1 \(0-based\).*found 'X' at position 2"):
        group_similar(["ACGT", "ACXT"])


def test_groups_stay_whole_and_sizes_near_the_shares():
    groups = np.random.default_rng(0).integers(0, 300, 1000)
    splits = assign_splits(groups, seed=1)
    assert all(len(set(splits[groups == group])) == 1 for group in np.unique(groups))
    counts = Counter(splits.tolist())
    assert abs(counts["dev"] - 100) <= 8
    assert abs(counts["test"] - 100) <= 8
    assert counts.total() == 1000


def test_classes_are_balanced_in_each_split():
    labels = np.array(["0"] * 900 + ["1"] * 100)
    splits = assign_splits(np.arange(1000), seed=1, labels=labels)
    counts = Counter(zip(splits.tolist(), labels.tolist(), strict=True))
    assert counts == {
        ("train", "0"): 720,
        ("train", "1"): 80,
        ("dev", "0"): 90,
        ("dev", "1"): 10,
        ("test", "0"): 90,
        ("test", "1"): 10,
    }


def test_a_group_counts_for_the_label_of_most_of_its_members():
    # A hundred groups of b and of c, half of either with an a in front, half with one behind.
    groups = np.repeat(np.arange(200), 3)
    labels = np.array(list("abbbba" * 50 + "acccca" * 50))
    splits = assign_splits(groups, shares={"train": 0.5, "test": 0.5}, seed=3, labels=labels)
    counts = Counter(zip(splits[::3].tolist(), labels[1::3].tolist(), strict=True))
    assert counts == {(split, label): 50 for split in ("train", "test") for label in "bc"}


@pytest.mark.parametrize(("size", "counts"), [(60, [80, 10, 10]), (95, [95, 3, 2])])
@pytest.mark.parametrize("seed", range(5))
def test_a_giant_group_goes_to_the_largest_split(size, counts, seed):
    groups = np.array([7] * size + list(range(8, 108 - size)))
    shares = {"dev": 0.1, "train": 0.8, "test": 0.1}
    splits = assign_splits(groups, shares=shares, seed=seed)
    assert set(splits[:size]) == {"train"}
    assert [Counter(splits.tolist())[name] for name in ("train", "dev", "test")] == counts


def test_groups_of_every_size_come_into_every_split():
    groups = np.concatenate([np.repeat(np.arange(100), 3), np.arange(100, 400)])
    splits = assign_splits(groups, seed=0)
    for name in ("train", "dev", "test"):
        assert 0.25 < np.mean(groups[splits == name] < 100) < 0.75


def test_the_seed_decides():
    groups = np.arange(100)
    splits = [assign_splits(groups, seed=seed).tolist() for seed in (1, 1, 2)]
    assert splits[0] == splits[1] != splits[2]


@pytest.mark.parametrize(
    ("groups", "options", "message"),
    [
        ([0, 0, 0, 1], {}, r"found none for test after dividing 4 sequences in 2 groups.* of 3;"),
        ([], {}, "found none for train, dev, test after dividing 0 sequences"),
        ([0, 1], {"shares": {"train": 1.0, "test": 0.0}}, r"above 0 and 1 together, got .*0\.0"),
        ([0, 1], {"shares": {"train": 0.5, "test": 0.6}}, r"above 0 and 1 together, got .*0\.6"),
        ([0, 1], {"shares": {}}, "shares must be above 0 and 1 together, got {}"),
        ([0, 1], {"labels": np.zeros(3)}, r"one a sequence, shape \(2,\), got \(3,\)"),
    ],
)
def test_splits_that_cannot_be_made_are_explained(groups, options, message):
    with pytest.raises(ValueError, match=message):
        assign_splits(np.array(groups, dtype=np.int64), seed=0, **options)
