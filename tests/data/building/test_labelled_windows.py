import gzip
import json
import logging
from collections import Counter
from itertools import count

import pytest

from dnabert_hf.data.building.labelled_windows import Example, Splitting, build_dataset
from dnabert_hf.data.genome.coordinates import cut_window
from dnabert_hf.data.reading.sequences import reverse_complement

PLACES = count(step=1000)  # no two windows share a base


def example(identifier, sequence, label="1", contig="a", source=None, start=None):
    start = next(PLACES) if start is None else start
    place = (contig, start, start + len(sequence), "+")
    return Example(identifier, sequence, label, *place, "x", source)


@pytest.fixture
def genome(make_genome, random_dna):
    return make_genome(a=random_dna(300), b=random_dna(300), c="ACGN" + random_dna(300))


def test_windows_that_cannot_be_cut_are_counted(genome):
    omitted = Counter()
    assert cut_window(genome, ("a", 295, 300, "-"), omitted) == genome.sequence("a", 295, 300, "-")
    assert cut_window(genome, ("a", -1, 5, "+"), omitted) is None
    assert cut_window(genome, ("a", 295, 301, "+"), omitted) is None
    assert cut_window(genome, ("c", 0, 5, "+"), omitted) is None
    assert omitted == {
        "windows that run off their contig": 2,
        "windows with letters other than A, C, G, T": 1,
    }


def test_repeated_sequences_stay_once_and_it_is_said(random_dna, caplog):
    sequences = [random_dna(100) for _ in range(30)]
    examples = [example(f"e{i}", letters, "01"[i > 14]) for i, letters in enumerate(sequences)]
    examples.append(example("again", reverse_complement(sequences[3]), label="0"))
    examples.append(example("other", sequences[4]))
    examples.append(example("made", random_dna(100), label="0", source=30))
    with caplog.at_level(logging.WARNING):
        built = build_dataset(examples, Splitting(), Counter())
    assert [e.id for e in built.examples] == [f"e{i}" for i in range(30)]
    assert caplog.messages == [
        "left out: repeated sequences (1), sequences that have another label, too (1), "
        "shuffles of sequences that were left out (1)"
    ]
    assert Counter(e.split for e in built.examples) == {"train": 24, "dev": 4, "test": 2}


def test_what_is_alike_or_made_from_each_other_shares_a_split(random_dna):
    long = [random_dna(150) for _ in range(40)]
    examples = [example(f"p{i}", sequence[:100]) for i, sequence in enumerate(long)]
    examples += [example(f"s{i}", sequence[40:140]) for i, sequence in enumerate(long)]
    examples += [example(f"n{i}", random_dna(100), label="0", source=i) for i in range(40)]
    built = build_dataset(examples, Splitting(), Counter())
    split_of = {e.id: e.split for e in built.examples}
    assert all(split_of[f"p{i}"] == split_of[f"s{i}"] == split_of[f"n{i}"] for i in range(40))
    assert set(split_of.values()) == {"train", "dev", "test"}
    assert not built.report.has_leaks


def test_windows_that_share_a_single_base_share_a_split(random_dna):
    contigs = {name: random_dna(8000) for name in "ab"}
    examples = [
        example(f"{name}{start}", contigs[name][start : start + length], kind, name, start=start)
        for name, kind in ("a0", "b1")
        for start in range(0, 8000, 400)
        # The long first window reaches into the third of its group, not to the next group.
        for start, length in ((start, 299), (start + 50, 100), (start + 298, 102))
    ]
    built = build_dataset(examples[::-1], Splitting(), Counter())
    splits = {e.id: e.split for e in built.examples}
    groups = [(name, start) for name in "ab" for start in range(0, 8000, 400)]
    of_groups = [
        {splits[f"{name}{start + shift}"] for shift in (0, 50, 298)} for name, start in groups
    ]
    assert all(len(of_group) == 1 for of_group in of_groups)
    assert set.union(*of_groups) == {"train", "dev", "test"}


def test_contigs_decide_and_what_would_leak_stays_in_the_test(random_dna):
    twin = random_dna(120)
    examples = [example(f"a{i}", random_dna(100)) for i in range(5)]
    examples += [example("a5", twin[:100]), example("b0", twin[10:110], contig="b")]
    examples += [example("b1", random_dna(100), "0", contig="b")]
    examples += [example(f"c{i}", random_dna(100), "01"[i], contig="c") for i in range(2)]
    omitted = Counter()
    splitting = Splitting(dev_contigs=("c",), test_contigs=("b",))
    built = build_dataset(examples, splitting, omitted)
    assert {e.id: e.split for e in built.examples} == {
        **{f"a{i}": "train" for i in range(5)},
        "b0": "test",
        "b1": "test",
        "c0": "dev",
        "c1": "dev",
    }
    assert omitted == {"train sequences that are like one of test": 1}
    assert not built.report.has_leaks
    with pytest.raises(ValueError, match="the test split must have sequences, found none"):
        build_dataset(examples[:3], splitting, Counter())


def test_what_is_left_out_does_not_make_others_leak(random_dna):
    repeat, twin = random_dna(60), random_dna(60)
    # In 17 sequences, the repeat makes none of them similar; without a0 and a1 it is in 15.
    examples = [example(f"a{i}", random_dna(40) + repeat + twin * (i < 2)) for i in range(16)]
    examples += [example(f"b{i}", random_dna(100)) for i in range(5)]
    examples += [example("t0", random_dna(40) + repeat, contig="t")]
    examples += [example("t1", random_dna(40) + twin, "0", contig="t")]
    shuffles = [example(f"s{i}", random_dna(100), "0", source=i) for i in (0, 15, 16)]
    omitted = Counter()
    built = build_dataset([*examples, *shuffles], Splitting(test_contigs=("t",)), omitted)
    assert not built.report.has_leaks
    assert omitted == {"train sequences that are like one of test": 18}
    assert {e.id for e in built.examples} == {"t0", "t1", "s16", *(f"b{i}" for i in range(5))}


@pytest.mark.parametrize(
    ("splitting", "message"),
    [
        (Splitting(test_contigs=("x",)), "must be in the genome, found 'x'; there are a, b, c"),
        (Splitting(("a",), ("a",)), "in one split, found 'a' in dev and test"),
        (Splitting(("a",)), "must come with test contigs"),
    ],
)
def test_contigs_of_a_split_are_checked(genome, splitting, message):
    with pytest.raises(ValueError, match=message):
        splitting.check(genome)


def test_nothing_left_is_an_error():
    omitted = Counter({"windows that run off their contig": 2})
    with pytest.raises(
        ValueError, match=r"found none .*\(windows that run off their contig \(2\)\)"
    ):
        build_dataset([], Splitting(), omitted)


def test_names_are_made_unique_and_the_table_is_written(random_dna, tmp_path):
    examples = [example("same", random_dna(60), label="01"[i % 2]) for i in range(30)]
    examples[3].id = "same_2"  # was so called before the others were numbered
    built = build_dataset(examples, Splitting(), Counter({"holes": 2}))
    report = built.write(tmp_path / "d.tsv.gz", settings={"seed": 42})
    assert report == tmp_path / "d.report.json"
    rows = gzip.decompress((tmp_path / "d.tsv.gz").read_bytes()).decode().splitlines()
    assert rows[0] == "id\tsequence\tlabel\tsplit\tcontig\tstart\tend\tstrand\tkind"
    first = built.examples[0]
    assert (
        rows[1] == f"same\t{first.sequence}\t0\t{first.split}\ta\t{first.start}\t{first.end}\t+\tx"
    )
    assert [row.split("\t")[0] for row in rows[1:5]] == ["same", "same_3", "same_4", "same_2"]
    content = json.loads(report.read_text())
    assert (content["settings"], content["omitted"]) == ({"seed": 42}, {"holes": 2})
    assert content["report"]["near_duplicates"]["n_sets"] == 0
    assert sorted(path.name for path in tmp_path.iterdir() if "d." in path.name) == [
        "d.report.json",
        "d.tsv.gz",
    ]
