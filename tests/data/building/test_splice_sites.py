from collections import Counter

import pytest

from dnabert_hf.data.building.labelled_windows import Splitting
from dnabert_hf.data.building.splice_sites import build_splice_sites
from dnabert_hf.data.genome.annotation import Transcript
from dnabert_hf.data.reading.sequences import reverse_complement


@pytest.fixture
def spliced(make_genome, random_dna):
    """Two contigs of 20 transcripts each, introns GT...AG of 200 bases, every second on -."""
    contigs, transcripts = {}, []
    for name in ("a", "b"):
        letters = random_dna(500)
        for number in range(20):
            intron = "GT" + random_dna(196) + "AG"
            strand = "+-"[number % 2]
            start = len(letters) + 150
            gene = random_dna(150) + intron + random_dna(150)
            letters += gene if strand == "+" else reverse_complement(gene)
            exons = [(start - 150, start), (start + 200, start + 350)]
            transcripts.append(Transcript(f"{name}{number}", name, strand, exons))
        contigs[name] = letters + random_dna(500)
    return make_genome(**contigs), transcripts


def test_borders_stand_in_the_middle_on_either_strand(spliced):
    genome, transcripts = spliced
    built = build_splice_sites(genome, transcripts, length=200)
    counts = Counter(e.label for e in built.examples)
    assert counts == {"donor": 40, "acceptor": 40, "neither": 80}
    for e in built.examples:
        assert len(e.sequence) == 200
        if e.label == "donor":
            assert e.sequence[100:102] == "GT"
        elif e.label == "acceptor":
            assert e.sequence[98:100] == "AG"
        if e.label != "neither":
            assert e.kind == "GT-AG"
    first = next(e for e in built.examples if e.id == "a:650:+:donor")
    assert (first.start, first.end) == (550, 750)
    assert not built.report.has_leaks


def test_decoys_look_like_sites_but_are_none(spliced):
    genome, transcripts = spliced
    built = build_splice_sites(genome, transcripts, length=200)
    sites = {(e.contig, e.start, e.strand) for e in built.examples if e.label != "neither"}
    decoys = [e for e in built.examples if e.label == "neither"]
    assert Counter(e.kind for e in decoys) == {
        "GT decoy": 30, "AG decoy": 30, "within a gene": 20
    }  # fmt: skip
    for e in decoys:
        assert (e.contig, e.start, e.strand) not in sites
        assert e.kind != "GT decoy" or e.sequence[100:102] == "GT"
        assert e.kind != "AG decoy" or e.sequence[98:100] == "AG"


def test_introns_of_other_kinds_are_named_and_odd_ones_counted(make_genome, random_dna, caplog):
    contigs, transcripts = {}, []
    for name in ("a", "b"):
        letters = random_dna(300) + "GC" + random_dna(96) + "AG" + random_dna(300)
        letters += "AT" + random_dna(96) + "AC" + random_dna(300) + "CC" + random_dna(196) + "CC"
        contigs[name] = letters + random_dna(400)
        exons = [(200, 300), (400, 700), (800, 1100), (1300, 1350)]
        transcripts.append(Transcript(f"t{name}", name, "+", exons))
    transcripts += [
        Transcript("gone", "z", "+", [(0, 5), (9, 12)]),
        Transcript("off", "a", "+", [(1400, 1450), (1455, 1500), (99_000, 99_100)]),
    ]
    splitting = Splitting(test_contigs=("b",))
    built = build_splice_sites(make_genome(**contigs), transcripts, length=100, splitting=splitting)
    kinds = Counter(e.kind for e in built.examples if e.label == "donor")
    assert kinds == {"GC-AG": 2, "AT-AC": 2, "non-canonical": 2}
    assert (
        "transcripts on contigs that the genome lacks (1), introns of fewer than 20 bases (1), "
        "introns that run off their contig (1)" in caplog.text
    )


def test_too_few_places_for_decoys_are_said(make_genome, random_dna, caplog):
    exon, intron = random_dna(200), "GT" + "C" * 40 + "AG"
    genome = make_genome(a=exon + intron + exon)
    transcripts = [Transcript("t", "a", "+", [(199, 200), (244, 245)])]
    with pytest.raises(ValueError, match="split"):  # two groups make no three splits
        build_splice_sites(genome, transcripts, length=100)
    assert "positions that are no splice sites were found within the genes" in caplog.text


@pytest.mark.parametrize("length", [3, 0, 101])
def test_an_odd_length_is_refused(spliced, length):
    with pytest.raises(ValueError, match=f"even number from 4 on, got {length}"):
        build_splice_sites(*spliced, length=length)
