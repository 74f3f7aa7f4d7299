import shutil
import subprocess
from collections import Counter

import pytest
from typer.testing import CliRunner

from dnabert_hf.cli.main import app
from dnabert_hf.data.building.labelled_windows import Splitting
from dnabert_hf.data.genome.annotation import Transcript
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.rna.transcript_peaks import _subtract, build_transcript_peaks

EXONS = [(2000, 2400), (4000, 4200), (6000, 7000)]


@pytest.fixture
def genome(make_genome, random_dna):
    return make_genome(chr1=random_dna(30_000), chr2=random_dna(12_000))


def transcripts():
    """A transcript on + and one on - over the same bases, another on chr2."""
    later = [(start + 500, end + 500) for start, end in EXONS]
    return [
        Transcript("plus", "chr1", "+", EXONS),
        Transcript("minus", "chr1", "-", later),
        Transcript("far", "chr2", "+", EXONS),
    ]


def peaks():
    """Peaks in exons and introns of both strands, and some that lie on none."""
    starts = [2100, 4050, 6100, 6500, 2600, 3100, 5000, 5400]
    made = [Interval("chr1", a, a + 40, "+", f"plus{a}") for a in starts]
    made += [Interval("chr1", a + 530, a + 570, "-", f"minus{a}") for a in starts]
    made += [Interval("chr2", a, a + 40, "+", f"far{a}") for a in starts[:4]]
    made.append(Interval("chr1", 7200, 7240, "+", "behind"))  # on "minus", but on the other strand
    return made


def bed(path, rows):
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return path


def bedtools(*words):
    command = ["bedtools", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_negatives_lie_on_the_transcripts_of_their_peaks(genome):
    built = build_transcript_peaks(genome, peaks(), transcripts(), length=61)
    assert Counter(e.label for e in built.examples) == {"peak": 20, "other": 20}
    assert built.omitted["peaks on no transcript of their strand"] == 1
    of = {each.name: each for each in transcripts()}
    by_id = {e.id: e for e in built.examples}
    negatives = [e for e in built.examples if e.label == "other"]
    for e in negatives:
        peak = by_id[e.kind.removeprefix("same transcript as ")]
        transcript = of[peak.id.rstrip("0123456789")]
        assert (e.contig, e.strand) == (transcript.contig, transcript.strand)
        assert transcript.exons[0][0] <= e.start < e.end <= transcript.exons[-1][1]
        assert e.sequence == genome.sequence(e.contig, e.start, e.end, e.strand)
        assert len(e.sequence) == 61
        in_exon = [any(a <= each.start + 30 < b for a, b in transcript.exons) for each in (e, peak)]
        assert in_exon[0] == in_exon[1]
        for other in (*peaks(), *(each for each in negatives if each is not e)):
            if (other.contig, other.strand) == (e.contig, e.strand):
                assert e.end <= other.start or other.end <= e.start
    again = build_transcript_peaks(genome, peaks(), transcripts(), length=61)
    assert [e.id for e in again.examples] == [e.id for e in built.examples]


@pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")
def test_the_command_gives_what_bedtools_finds_no_fault_in(tmp_path, random_dna):
    dna = {name: random_dna(12_000) for name in ("chr1", "chr2")}
    fasta = tmp_path / "genome.fa"
    fasta.write_text("".join(f">{name}\n{letters}\n" for name, letters in dna.items()))
    all_peaks = [each for each in peaks() if each.end < 12_000]
    rows = [(p.contig, p.start, p.end, p.name, 0, p.strand) for p in all_peaks]
    given = bed(tmp_path / "clip.bed", rows)
    gtf = tmp_path / "genes.gtf"
    gtf.write_text(
        "".join(
            f'{t.contig}\t.\texon\t{a + 1}\t{b}\t.\t{t.strand}\t.\ttranscript_id "{t.name}";\n'
            for t in transcripts()
            for a, b in t.exons
        )
    )
    table = tmp_path / "clip.tsv"
    command = ["dataset", "peaks", str(given), "--genome", str(fasta), "-o", str(table)]
    words = ["--negatives", "transcripts", "--annotation", str(gtf), "--length", "61"]
    done = CliRunner().invoke(app, [*command, *words])
    assert done.exit_code == 0, done.stderr
    header, *lines = (line.split("\t") for line in table.read_text().splitlines())
    found = [dict(zip(header, line, strict=True)) for line in lines]
    windows = bed(
        tmp_path / "negatives.bed",
        [
            (r["contig"], r["start"], r["end"], r["sequence"], 0, r["strand"])
            for r in found
            if r["label"] == "other"
        ],
    )
    assert len(windows.read_text().splitlines()) == 20
    assert bedtools("intersect", "-s", "-u", "-a", windows, "-b", given) == []
    spans = [(t.contig, t.exons[0][0], t.exons[-1][1], t.name, 0, t.strand) for t in transcripts()]
    inside = bedtools("intersect", "-s", "-u", "-f", "1", "-a", windows,
                      "-b", bed(tmp_path / "spans.bed", spans))  # fmt: skip
    assert len(inside) == 20
    overlaps = bedtools("intersect", "-s", "-c", "-a", windows, "-b", windows)
    assert {line.rsplit("\t", 1)[1] for line in overlaps} == {"1"}  # each with itself
    read = bedtools("getfasta", "-s", "-tab", "-nameOnly", "-fi", fasta, "-bed", windows)
    for line in read:
        name, letters = line.split("\t")
        assert name.partition("(")[0] == letters


def test_where_there_is_no_room_it_is_said(genome, caplog):
    """The exon holds nothing but its peak, and the second transcript nothing at all."""
    tight = [Transcript("t", "chr1", "+", [(10_000, 10_090), (11_000, 11_090)])]
    tight.append(Transcript("u", "chr2", "-", [(500, 590)]))
    given = [
        Interval("chr1", 10_010, 10_080, "+", "a"),
        Interval("chr1", 11_010, 11_080, "+", "b"),
        Interval("chr2", 510, 580, "-", "c"),
    ]
    built = build_transcript_peaks(genome, [*peaks(), *given], [*transcripts(), *tight], length=61)
    assert Counter(e.label for e in built.examples) == {"peak": 22, "other": 22}
    assert built.omitted["peaks whose transcripts have no room for a negative"] == 1
    assert "2 of 22 negatives have their middle in an intron where the peak's is in" in caplog.text
    with pytest.raises(ValueError, match=r"of 61 bases, found none \(1 peaks whose transcripts"):
        build_transcript_peaks(genome, given[2:], tight, length=61)


def test_negatives_are_in_the_split_of_their_peaks(genome):
    built = build_transcript_peaks(
        genome, peaks(), transcripts(), length=61, splitting=Splitting((), ("chr2",))
    )
    counts = Counter((e.split, e.label) for e in built.examples)
    assert counts["test", "peak"] == counts["test", "other"] == 4


def test_intervals_are_subtracted():
    assert _subtract([(0, 10)], []) == [(0, 10)]
    assert _subtract([(0, 10), (12, 20), (25, 30)], [(5, 27), (6, 8)]) == [(0, 5), (27, 30)]
    assert _subtract([(0, 10)], [(-5, 3), (2, 4), (9, 12)]) == [(4, 9)]
    assert _subtract([(0, 5), (5, 9)], [(0, 9)]) == []


def test_peaks_without_strand_or_genes_are_refused(tmp_path):
    given = bed(
        tmp_path / "clip.bed", [("chr1", 10, 50, "a", 0, "."), ("chr1", 90, 99, "b", 0, "-")]
    )
    (tmp_path / "genome.fa").write_text(">chr1\n" + "ACGT" * 50 + "\n")
    (tmp_path / "g.gtf").write_text('chr1\t.\texon\t1\t90\t.\t+\t.\ttranscript_id "t";\n')
    command = ["dataset", "peaks", str(given), "--genome", str(tmp_path / "genome.fa"), "-o"]
    command += [str(tmp_path / "o.tsv"), "--negatives", "transcripts"]
    for words, message in (
        ([], "--negatives transcripts and --annotation, the genes, go together"),
        (
            ["--annotation", str(tmp_path / "g.gtf")],
            "must have a strand, + or - in column 6, found 1",
        ),
    ):
        done = CliRunner().invoke(app, [*command, *words])
        assert (done.exit_code, message in " ".join(done.stderr.split())) == (2, True), done.stderr
    assert not (tmp_path / "o.tsv").exists()
