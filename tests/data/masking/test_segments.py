import pickle

import numpy as np
import pytest
from torch.utils.data import DataLoader

from dnabert_hf import DNABertTokenizer
from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.data.masking import segments
from dnabert_hf.data.masking.segments import SegmentDataset, SegmentOptions
from dnabert_hf.data.reading.sequences import reverse_complement

K = 6
MIN_TOKENS = 15  # 20 bases: what they spell stands at one place only in these small genomes
SMALLEST = MIN_TOKENS + K - 1


def random_dna(seed, n):
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), n))


@pytest.fixture
def genome(tmp_path):
    """Runs of 3,000, 2,000 and 19 (too short) bases in a, 4,000 in b, and 5,000 in c."""
    a = f"{random_dna(1, 3000)}NNNNNNN{random_dna(2, 2000)}R{random_dna(3, 19)}"
    first, second = tmp_path / "first.fa", tmp_path / "second.fa"
    first.write_text(f">a\n{a}\n>b\nNN{random_dna(4, 4000).lower()}\n")
    second.write_text(f">c\n{random_dna(5, 5000)}\n")
    return open_genome([first, second], cache_dir=tmp_path / "cache")


@pytest.fixture
def larger_genome(tmp_path):
    path = tmp_path / "larger.fa"
    path.write_text(f">x\n{random_dna(6, 200_000)}\n")
    return open_genome(path, cache_dir=tmp_path / "cache")


def options(**changes):
    return SegmentOptions(
        **{"k": K, "mode": "cut", "max_tokens": 80, "min_tokens": MIN_TOKENS} | changes
    )


def spell(ids, k=K):
    """Bases of token ids: A, T, C and G are 0 to 3, the first base of a k-mer counts most."""
    kmers = ids[1:-1].astype(int) - 5
    digits = [
        *(kmers // 4 ** (k - 1)),
        *(kmers[-1] // 4**place % 4 for place in range(k - 2, -1, -1)),
    ]
    return "".join("ATCG"[digit] for digit in digits)


def find(genome, sequence):
    """First base of a sequence among the codes of the genome; there must be one such place."""
    letters = "".join(genome.sequence(c.name, 0, c.length) for c in genome.contigs)
    assert letters.count(sequence) == 1, sequence
    return letters.index(sequence)


def coverage(genome, items):
    """How many segments cover each base, shape (bases,)."""
    counts = np.zeros(len(genome.codes), dtype=int)
    for item in items:
        sequence = spell(item["input_ids"])
        first = find(genome, sequence)
        counts[first : first + len(sequence)] += 1
    return counts


def as_lists(items):
    return [(item["index"], item["input_ids"].tolist()) for item in items]


RUNS = ((0, 3000), (3007, 5007), (5029, 9029), (9029, 14_029))  # in the codes of all contigs
THOUSANDS = tuple((end - 1000, end) for first, last in RUNS for end in range(last, first, -1000))


@pytest.mark.parametrize(("block", "blocks"), [(1 << 20, RUNS), (1000, THOUSANDS)])
@pytest.mark.parametrize("number", [0, 1])
def test_a_pass_of_cuts_covers_every_base_of_every_run_once(
    genome, monkeypatch, block, blocks, number
):
    """Only less than a segment may remain, at the end of a run or of a block of a long one."""
    monkeypatch.setattr(segments, "_BLOCK", block)
    monkeypatch.setattr(segments, "_GROUP", 3 * block)
    dataset = SegmentDataset(genome, options())
    assert dataset.n_bases == 14_000
    first, last = dataset.count(number), dataset.count(number + 1)
    counts = coverage(genome, dataset.__getitems__(range(first, last)))
    assert counts.max() == 1
    for begin, end in blocks:
        covered = int(counts[begin:end].sum())
        assert counts[begin : begin + covered].all()
        assert end - begin - covered < SMALLEST
        counts[begin:end] = 0
    assert not counts.any(), "a segment reaches over other letters or into a short run"


def test_no_segment_holds_anything_but_known_bases_and_lengths_stay_in_their_limits(genome):
    dataset = SegmentDataset(genome, options(mode="both"))
    lengths = [len(item["input_ids"]) - 2 for item in dataset.stream()]
    assert min(lengths) >= MIN_TOKENS
    assert max(lengths) == 80
    for item in dataset.stream():
        ids = item["input_ids"]
        assert (ids[0], ids[-1], ids.dtype) == (2, 3, np.uint16)
        assert ids[1:-1].min() >= 5
        assert "N" not in spell(ids)
        find(genome, spell(ids))


@pytest.mark.parametrize("k", range(2, 9))
def test_ids_are_those_of_the_tokenizer(genome, k):
    tokenizer = DNABertTokenizer(k=k)
    dataset = SegmentDataset(genome, options(k=k, reverse_complement=True))
    for item in [dataset[i] for i in range(20)]:
        assert item["input_ids"].tolist() == tokenizer(spell(item["input_ids"], k))["input_ids"]


def test_half_of_the_cuts_have_full_length_and_the_others_any(larger_genome):
    dataset = SegmentDataset(larger_genome, options(max_tokens=35))
    lengths = np.array([len(item["input_ids"]) - 2 for item in dataset.stream()])
    # 15 to 35 are 21 lengths, of which the longest gets 1/2 more: 1/2 + 1/42 = 0.524. There are
    # about 5,700 segments (mean 30 k-mers, 35 bases): standard error 0.007.
    assert (lengths == 35).mean() == pytest.approx(0.524, abs=0.02)
    assert lengths[lengths < 35].mean() == pytest.approx(24.5, abs=0.4)
    counts = np.bincount(lengths)[15:35]
    assert counts.min() > 0.6 * counts.mean()


def test_samples_begin_anywhere_and_have_any_length(larger_genome):
    dataset = SegmentDataset(larger_genome, options(mode="sample", max_tokens=35))
    items = list(dataset.stream())
    lengths = np.array([len(item["input_ids"]) - 2 for item in items])
    counts = np.bincount(lengths)[15:]
    assert len(counts) == 21
    assert counts.min() > 0.6 * counts.mean()
    letters = larger_genome.sequence("x", 0, 200_000)
    begins = np.array([letters.index(spell(item["input_ids"])) for item in items[:2000]])
    assert np.quantile(begins / 200_000, [0.25, 0.5, 0.75]) == pytest.approx(
        [0.25, 0.5, 0.75], abs=0.05
    )


def test_samples_reach_the_first_and_the_last_base_of_a_run(tmp_path):
    path = tmp_path / "short.fa"
    path.write_text(f">x\nNN{random_dna(7, SMALLEST + 2)}NN\n")
    genome = open_genome(path, cache_dir=tmp_path / "cache")
    dataset = SegmentDataset(genome, options(mode="sample"), length=200)
    counts = coverage(genome, dataset.stream())
    assert counts[2:-2].all()
    assert counts[[0, 1, -2, -1]].tolist() == [0, 0, 0, 0]


def test_both_takes_as_many_samples_as_cuts(genome):
    n_cuts = len(SegmentDataset(genome, options()))
    both = SegmentDataset(genome, options(mode="both"))
    assert len(both) == 2 * n_cuts
    # Cuts cover 14,000 bases once. Samples are shorter: any of 15 to 80 k-mers, 47.5 in the mean.
    n_bases = sum(len(item["input_ids"]) - 2 + K - 1 for item in both.stream())
    assert n_bases == pytest.approx(14_000 + n_cuts * 52.5, rel=0.05)


def test_half_of_the_segments_are_read_from_the_opposite_strand(genome):
    forward = SegmentDataset(genome, options())
    either = SegmentDataset(genome, options(reverse_complement=True))
    n_reverse = 0
    for one, other in zip(forward.stream(), either.stream(), strict=True):
        sequence, read = spell(one["input_ids"]), spell(other["input_ids"])
        n_reverse += read != sequence
        assert read in (sequence, reverse_complement(sequence))
    assert n_reverse / len(forward) == pytest.approx(0.5, abs=0.1)


def test_a_segment_is_the_same_in_any_order_of_asking_and_from_a_fresh_object(genome):
    changed = options(mode="both", reverse_complement=True, batch_size=4)
    dataset = SegmentDataset(genome, changed)
    dataset.length = dataset.count(3)
    in_order = as_lists(dataset.stream())
    assert [index for index, _ in in_order] == list(range(dataset.length))
    order = np.random.default_rng(0).permutation(dataset.length).tolist()
    fresh = SegmentDataset(genome, changed, length=dataset.length)
    assert sorted(as_lists(fresh.__getitems__(order))) == in_order
    again = SegmentDataset(genome, changed, length=dataset.length)
    last = dataset.length - 1
    assert as_lists([again[last], again[0]]) == [in_order[last], in_order[0]]


def test_another_seed_gives_other_segments(genome):
    one, other = (SegmentDataset(genome, options(seed=seed)) for seed in (1, 2))
    assert as_lists(one.stream())[:20] != as_lists(other.stream())[:20]


def test_the_passes_over_a_genome_differ(genome):
    dataset = SegmentDataset(genome, options())
    first, second = dataset.count(1), dataset.count(2)
    assert (dataset.count(0), len(dataset)) == (0, first)
    dataset.length = second
    passes = [dataset.__getitems__(range(*ends)) for ends in ((0, first), (first, second))]
    for items in passes:
        assert coverage(genome, items).max() == 1
    spelt = [{spell(item["input_ids"]) for item in items} for items in passes]
    # The first segment of a run is the same where both passes have it in full length.
    assert len(spelt[0] & spelt[1]) < 0.05 * first


def test_workers_give_the_same_segments(genome):
    dataset = SegmentDataset(genome, options(mode="both", batch_size=4))
    loader = DataLoader(dataset, batch_size=4, num_workers=2, collate_fn=as_lists)
    assert [item for batch in loader for item in batch] == as_lists(dataset.stream())


def test_ranks_share_the_stream_batch_by_batch(genome):
    dataset = SegmentDataset(genome, options(batch_size=4))
    alone = as_lists(dataset.stream())
    ranks = [as_lists(dataset.stream(rank=rank, world_size=2)) for rank in (0, 1)]
    assert ranks[0][:8] == alone[:4] + alone[8:12]
    assert ranks[1][:8] == alone[4:8] + alone[12:16]
    assert sorted(ranks[0] + ranks[1]) == alone
    assert as_lists(dataset.stream(start=8)) == alone[8:]
    assert as_lists(dataset.stream(start=8, rank=1, world_size=2)) == ranks[1][4:]


def test_a_stream_ends_with_the_length_of_the_data_set(genome):
    dataset = SegmentDataset(genome, options(batch_size=4), length=6)
    assert [item["index"] for item in dataset.stream()] == [0, 1, 2, 3, 4, 5]


def test_segments_of_a_batch_have_nearly_one_length(larger_genome):
    for mode in ("cut", "sample", "both"):
        dataset = SegmentDataset(
            larger_genome, options(mode=mode, max_tokens=100, min_tokens=5, batch_size=16)
        )
        assert len(dataset) % 16 == 0
        lengths = np.array([len(item["input_ids"]) for item in dataset.stream()]).reshape(-1, 16)
        padding = 1 - lengths.sum() / (16 * lengths.max(axis=1)).sum()
        assert padding < 0.05
        # Short and long batches take turns.
        means = lengths.mean(axis=1)
        assert np.abs(np.corrcoef(means[1:], means[:-1])[0, 1]) < 0.35


def test_a_batch_that_would_not_be_full_is_filled_with_samples(genome):
    n_cuts = len(SegmentDataset(genome, options()))
    dataset = SegmentDataset(genome, options(batch_size=100))
    assert len(dataset) == -(-n_cuts // 100) * 100
    counts = coverage(genome, dataset.stream())
    once = coverage(genome, SegmentDataset(genome, options()).stream())
    assert (counts >= once).all()


def test_runs_limit_where_segments_come_from(genome):
    runs = np.array([[1, 1002, 2002], [2, 0, 500]])
    dataset = SegmentDataset(genome, options(mode="both"), runs=runs)
    assert dataset.n_bases == 1500
    covered = np.flatnonzero(coverage(genome, dataset.stream()))
    begins = genome.offsets[1] + 1002, genome.offsets[2]
    is_within = [(covered >= begin) & (covered < begin + 1000) for begin in begins]
    assert (is_within[0] | (is_within[1] & (covered < begins[1] + 500))).all()
    assert len(covered) > 1400


def test_weights_of_contigs_and_files_say_how_often_they_are_read(genome):
    second = genome.contigs[2].file
    dataset = SegmentDataset(genome, options(weights={"a": 0, "b": 2, second: 3}))
    counts = coverage(genome, dataset.stream())
    assert counts[:5029].max() == 0
    for begin, end, copies in ((5029, 9029, 2), (9029, 14_029, 3)):
        assert counts[begin : end - SMALLEST].tolist() == [copies] * (end - begin - SMALLEST)
    of_contig = SegmentDataset(genome, options(weights={second: 0, "c": 1}))
    assert of_contig.n_bases == 14_000, "the weight of a contig goes before that of its file"


def test_half_a_weight_reads_a_contig_in_half_of_the_passes(genome):
    dataset = SegmentDataset(genome, options(weights={"a": 0, "b": 0.5}))
    dataset.length = dataset.count(40)
    letters = genome.sequence("b", 0, 4002)
    n_reads = 0
    for number in range(40):
        items = dataset.__getitems__(range(dataset.count(number), dataset.count(number + 1)))
        from_b = [spell(item["input_ids"]) in letters for item in items]
        assert sum(from_b) == 0 or sum(from_b) > 30
        n_reads += any(from_b)
    assert 11 <= n_reads <= 29  # outside: 3 in 1,000


def test_a_pass_is_never_empty(genome):
    dataset = SegmentDataset(genome, options(weights={"a": 0, "b": 0.001, "c": 0.002}))
    counts = coverage(genome, dataset.stream())
    assert counts[:9029].max() == 0
    assert counts[9029 : 14_029 - SMALLEST].min() == 1


def test_a_data_set_goes_to_workers_as_a_few_bytes(genome):
    dataset = SegmentDataset(genome, options())
    before = as_lists(dataset.stream())
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 3000
    assert as_lists(pickle.loads(pickled).stream()) == before


def test_numbers_out_of_range_are_refused(genome):
    dataset = SegmentDataset(genome, options(), length=10)
    for index in (-1, 10):
        with pytest.raises(IndexError, match=f"segments are numbered 0 to 9, got {index}"):
            dataset[index]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "slice"}, 'must be "both", "cut" or "sample", got \'slice\''),
        ({"min_tokens": 0}, "got min_tokens=0 and max_tokens=80"),
        ({"min_tokens": 81}, "got min_tokens=81 and max_tokens=80"),
        ({"max_tokens": 511}, "got min_tokens=15 and max_tokens=511"),
        ({"batch_size": 0}, "batch_size must be 1 or more, got 0"),
        ({"weights": {"a": -1}}, "weights must be numbers from 0 to 10,000, got -1 for a"),
    ],
)
def test_options_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        options(**changes)


def test_a_weight_of_nothing_in_the_genome_is_refused(genome):
    with pytest.raises(ValueError, match=r"found 'chrA'; the files are .*first\.fa, .*second\.fa"):
        SegmentDataset(genome, options(weights={"chrA": 1}))


def test_a_genome_without_a_run_that_is_long_enough_is_refused(genome):
    runs = np.array([[0, 5008, 5027]])
    with pytest.raises(ValueError, match=r"a run of 20 known bases at least \(15 k-mers\)"):
        SegmentDataset(genome, options(), runs=runs)
    with pytest.raises(ValueError, match="found none; check the regions and weights"):
        SegmentDataset(genome, options(weights={"a": 0, "b": 0, "c": 0}))
    assert len(SegmentDataset(genome, options(min_tokens=14), runs=runs)) == 1
