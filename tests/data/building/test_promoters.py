from collections import Counter

import pytest

from dnabert_hf.data.building.labelled_windows import Splitting
from dnabert_hf.data.building.promoters import build_promoters
from dnabert_hf.data.genome.intervals import Interval


def site(contig, position, strand="+", name=""):
    return Interval(contig, position, position + 1, strand, name, position)


@pytest.fixture
def genome(make_genome, random_dna):
    return make_genome(chr1=random_dna(60_000), chr2=random_dna(60_000))


@pytest.fixture
def sites():
    both = [(contig, start) for contig in ("1", "2") for start in range(2000, 30_000, 2000)]
    return [site(contig, start, "+-"[start % 4000 > 0]) for contig, start in both]


def positives(built):
    return [e for e in built.examples if e.label == "promoter"]


def test_the_start_site_stands_at_its_offset_on_either_strand(genome, sites):
    sites.append(site("1", 31_000, "-", "p"))
    built = build_promoters(genome, sites, upstream=33, downstream=36)
    minus = next(e for e in built.examples if e.id == "p")
    assert (minus.start, minus.end) == (31_000 - 36, 31_000 + 33 + 1)
    assert minus.sequence == genome.sequence("chr1", minus.start, minus.end, "-")
    assert minus.sequence[33] == genome.sequence("chr1", 31_000, 31_001, "-")
    assert {len(e.sequence) for e in built.examples} == {70}


def test_genomic_negatives_keep_their_distance(genome, sites):
    built = build_promoters(genome, sites)
    assert Counter(e.label for e in built.examples) == {"promoter": 28, "other": 28}
    for negative in built.examples:
        if negative.label == "other":
            assert negative.kind == "genomic, GC matched"
            gaps = [abs(negative.start - p.start) for p in positives(built)
                    if p.contig == negative.contig]  # fmt: skip
            assert min(gaps) >= 1000 + 300
    assert not built.report.has_leaks


@pytest.mark.parametrize("negatives", ["chunks", "dinucleotides"])
def test_shuffled_negatives_share_the_split_of_their_promoter(genome, sites, negatives):
    built = build_promoters(genome, sites, negatives=negatives)
    by_id = {e.id: e for e in built.examples}
    for promoter in positives(built):
        negative = by_id[f"{promoter.id}_shuffled"]
        assert Counter(negative.sequence) == Counter(promoter.sequence)
        assert negative.sequence != promoter.sequence
        assert negative.split == promoter.split


def test_published_negatives_of_promoters_with_a_tata_box_have_one_too(make_genome, random_dna):
    background = random_dna(80_000, "ACGT")
    letters = list(background)
    starts = range(2000, 30_000, 1500)
    for start in starts:
        letters[start - 45 : start - 10] = "G" * 35
    for start in list(starts)[:5]:
        letters[start - 30 : start - 24] = "TATAAA"
    genome = make_genome(chr1="".join(letters), chr2=random_dna(80_000))
    sites = [site("chr1", s) for s in starts]
    built = build_promoters(genome, sites, negatives="published")
    kinds = Counter(e.kind for e in built.examples)
    assert kinds == {
        "promoter": len(starts) - 5,
        "promoter with TATA box": 5,
        "chunk-shuffled": len(starts) - 5,
        "genomic with TATA box": 5,
    }
    for e in built.examples:
        if e.kind == "genomic with TATA box":
            assert e.sequence[219:225] in ("TATAAA", "TATATA")
    splitting = Splitting(test_contigs=("chr2",))
    with pytest.raises(ValueError, match="the test split must have sequences"):
        build_promoters(genome, sites, negatives="published", splitting=splitting)


def test_what_is_left_out_is_counted(genome, sites, caplog):
    sites += [site("chr9", 500), site("chr1", 10), site("2", 59_999)]
    build_promoters(genome, sites)
    assert (
        "left out: start sites on contigs that the genome lacks (1), "
        "windows that run off their contig (2)" in caplog.text
    )


def test_bad_options_are_refused(genome, sites):
    with pytest.raises(ValueError, match=r"negatives must be genomic, .*got 'easy'"):
        build_promoters(genome, sites, negatives="easy")
    with pytest.raises(ValueError, match="must be 0 or more, got"):
        build_promoters(genome, sites, upstream=-1)


@pytest.mark.parametrize("negatives", ["genomic", "published", "chunks", "dinucleotides"])
def test_windows_that_all_run_off_are_counted_and_refused(genome, negatives):
    with pytest.raises(ValueError, match=r"found none that can be used \(windows that run off"):
        build_promoters(genome, [site("1", 5)], negatives=negatives)
