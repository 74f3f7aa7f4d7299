import pytest

from dnabert_hf.data.genome.annotation import Transcript, read_start_sites, read_transcripts
from dnabert_hf.data.genome.intervals import Interval

GTF = (
    "#!genome\n"
    'chr1\tx\tgene\t1\t90\t.\t+\t.\tgene_id "g";\n'
    'chr1\tx\texon\t61\t90\t.\t+\t.\tgene_id "g"; transcript_id "t1"; exon_number "2";\n'
    'chr1\tx\texon\t11\t20\t.\t+\t.\tgene_id "g"; transcript_id "t1";\n'
    'chr1\tx\texon\t11\t20\t.\t-\t.\ttranscript_id "t2";\n'
)


def write(tmp_path, text, name="a.gtf"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_exons_are_gathered_by_transcript_and_0_based(tmp_path):
    assert read_transcripts(write(tmp_path, GTF)) == [
        Transcript("t1", "chr1", "+", [(10, 20), (60, 90)]),
        Transcript("t2", "chr1", "-", [(10, 20)]),
    ]


def test_exons_of_gff3_may_have_several_parents(tmp_path):
    text = (
        "##gff-version 3\n"
        "1\tx\texon\t1\t5\t.\t-\t.\tID=e1;Parent=transcript:a,transcript:b\n"
        "1\tx\texon\t9\t12\t.\t-\t.\tParent=transcript:b;Name=e2\n"
        "##FASTA\n>1\nACGT\n"
    )
    transcripts = read_transcripts(write(tmp_path, text, "a.gff3"))
    assert [(t.name, t.exons) for t in transcripts] == [("a", [(0, 5)]), ("b", [(0, 5), (8, 12)])]
    assert transcripts[1].introns() == [(5, 8)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr1\tx\texon\t1\t5\n", "line 1: .* 9 columns .*found 5"),
        ("c\tx\texon\t1\t5\t.\t+\t.\tgene_id=1\n", "must name its transcript .*found 'gene_id=1'"),
        ("c\tx\texon\t9\t5\t.\t+\t.\tParent=a\n", "1 <= start <= end, found 9 to 5"),
        ("c\tx\texon\t1\t5\t.\t.\t.\tParent=a\n", r"strand \+ or -, found '\.'"),
        ("c\tx\tgene\t1\t5\t.\t.\t.\tID=a\n", "must hold lines of type exon, found none"),
        (
            "c\tx\texon\t1\t5\t.\t+\t.\tParent=a\nc\tx\texon\t8\t9\t.\t-\t.\tParent=a\n",
            r"line 2: .*one strand of one contig, found a on c \+ and c -",
        ),
    ],
)
def test_a_bad_line_of_an_annotation_is_named(tmp_path, line, message):
    with pytest.raises(ValueError, match=message):
        read_transcripts(write(tmp_path, line))


def test_start_sites_are_the_five_prime_ends(tmp_path):
    expected = [Interval("chr1", 10, 11, "+", "t1", 10), Interval("chr1", 19, 20, "-", "t2", 19)]
    assert read_start_sites(write(tmp_path, GTF)) == expected
    bed = "chr1\t10\t20\tt1\t0\t+\nchr1\t10\t20\tt2\t0\t-\nchr1\t10\t15\tagain\t0\t+\n"
    assert read_start_sites(write(tmp_path, bed, "a.bed")) == expected


def test_start_sites_are_read_from_a_table(tmp_path):
    path = write(tmp_path, "strand\tcontig\tposition\n-\tchr1\t5\n-\tchr1\t5\n", "a.tsv")
    assert read_start_sites(path) == [Interval("chr1", 5, 6, "-", "", 5)]
    path = write(tmp_path, "s\tc\tp\n+\tchr1\t0\n", "b.tsv")
    sites = read_start_sites(path, columns=("c", "p", "s"))
    assert sites == [Interval("chr1", 0, 1, "+", "", 0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1\t5\t+\n", r"line 1: .*header with 'contig', 'position', 'strand', found 'chr1'"),
        ("contig\tposition\tstrand\n", "has a header but no rows"),
        ("contig\tposition\tstrand\nc\t5\n", "line 2: .*as many cells as the header, 3, found 2"),
        ("contig\tposition\tstrand\nc\t-5\t+\n", r"whole number \(0-based\), found '-5'"),
        ("contig\tposition\tstrand\nc\t5\tx\n", r"strand must be \+ or -, found 'x'"),
    ],
)
def test_a_bad_table_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_start_sites(write(tmp_path, text, "a.tsv"))
