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
        ("c\tx\texon\t1\t5\t.\tx\t.\tParent=a\n", r"strand must be \+, -, \. or \?, found 'x'"),
        (
            "c\tx\texon\t1\t5\t.\t.\t.\tParent=a\n",
            r"only 1 transcripts without a strand \(a\)",
        ),
        ("c\tx\tgene\t1\t5\t.\t.\t.\tID=a\n", "must hold lines of type exon, found none"),
        (
            "c\tx\texon\t1\t5\t.\t+\t.\tParent=a\nc\tx\texon\t8\t9\t.\t-\t.\tParent=a\n",
            r"found only 1 transcripts on both strands \(a\)",
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


def exon(contig, start, end, strand, attributes, source="x"):
    return f"{contig}\t{source}\texon\t{start}\t{end}\t.\t{strand}\t.\t{attributes}\n"


ODD = {
    # mod(mdg4) of Drosophila is spliced from both strands; NCBI marks organelles' with "?";
    # StringTie does not know the strand of a transcript of one exon; X and Y share genes.
    "transcripts on both strands": [("1", "+"), ("1", "-")],
    "transcripts without a strand": [("1", "?")],
    "transcripts without a strand ": [("1", ".")],
    "transcripts on several contigs": [("X", "+"), ("Y", "+")],
}


@pytest.mark.parametrize("reason", ODD)
def test_odd_transcripts_are_counted_and_left_out(tmp_path, caplog, reason):
    odd = "".join(
        exon(c, 500 + i, 600, s, 'transcript_id "odd";') for i, (c, s) in enumerate(ODD[reason])
    )
    transcripts = read_transcripts(write(tmp_path, GTF + odd))
    assert [each.name for each in transcripts] == ["t1", "t2"]
    assert f"left out: 1 {reason.strip()} (odd)" in caplog.text


def test_exons_of_no_transcript_are_counted(tmp_path, caplog):
    text = GTF + exon("1", 5, 9, "+", 'gene_id "g"; transcript_id "";')
    assert len(read_transcripts(write(tmp_path, text))) == 2
    assert "1 exons of transcripts without a name" in caplog.text


@pytest.mark.parametrize(
    ("attributes", "names"),
    [
        ('note "as in x; Parent=foo"; transcript_id "TA";', ["TA"]),
        ('note "; transcript_id X"; transcript_id "TA"', ["TA"]),
        ('gene_id "a"; transcript_id "TA"; note "b; transcript_id \\"X\\";"', ["TA"]),
        ("gene_id g; transcript_id TA ;", ["TA"]),
        ('transcript_id "T;A"; Parent "foo";', ["T;A"]),
        ('gene_id "a=b"; transcript_id "TA"; ', ["TA"]),
        ("ID=e;Parent=transcript:TA,TB;transcript_id=x", ["TA", "TB"]),
        ('Note="x;Parent=TA;y"', ["TA"]),  # quotes mean nothing in GFF3
        ("ID=e;Parent=T%3BA", ["T;A"]),
    ],
)
def test_transcripts_are_named_by_the_key_of_their_format_alone(tmp_path, attributes, names):
    transcripts = read_transcripts(write(tmp_path, exon("1", 5, 9, "+", attributes)))
    assert [each.name for each in transcripts] == names


def test_a_semicolon_in_a_note_makes_no_intron(tmp_path):
    note = 'note "as in x; Parent=foo"; '
    text = exon("1", 1001, 1300, "+", f'{note}transcript_id "TA";')
    text += exon("1", 9001, 9300, "+", f'{note}transcript_id "TB";')
    assert [each.introns() for each in read_transcripts(write(tmp_path, text))] == [[], []]


@pytest.mark.parametrize("key", ["transcript_id=TA", "ID=TA", "parent=TA"])
def test_gff3_has_no_other_key(tmp_path, key):
    with pytest.raises(ValueError, match="an exon must name its transcript"):
        read_transcripts(write(tmp_path, exon("1", 1, 5, "+", key), "a.gff3"))


def test_bad_lines_are_skipped_and_counted_if_asked(tmp_path, caplog):
    text = GTF + "short\tline\n" + exon("1", 9, 5, "+", 'transcript_id "x"')
    with pytest.raises(ValueError, match=r"line 6: .*\(or leave out all bad lines: --skip-bad\)"):
        read_transcripts(write(tmp_path, text), skip_bad=False)
    assert len(read_transcripts(write(tmp_path, text), skip_bad=True)) == 2
    assert "2 bad lines left out; first: " in caplog.text
    table = write(tmp_path, "contig\tposition\tstrand\nc\t5.0\t+\nc\tx\t+\n", "a.tsv")
    assert [site.start for site in read_start_sites(table, skip_bad=True)] == [5]


# UCSC's, gxf2bed's and AGAT's BED12: the thick part is the coding sequence, columns 10 to 12 exons.
TRANSCRIPTS = (
    "chr1\t1000\t4000\tNM_1\t0\t-\t1700\t3100\t0\t2\t1000,1000,\t0,2000,\n"
    "chr1\t6000\t9000\tNM_2\t0\t+\t6500\t8000\t0\t2\t1000,1000,\t0,2000,\n"
    "chr1\t6000\t9000\tNR_3\t0\t-\t9000\t9000\t0\t2\t1000,1000,\t0,2000,\n"
)


@pytest.mark.parametrize("n_columns", [12, 9, 8, 6])
def test_the_start_site_of_a_transcript_is_its_five_prime_end(tmp_path, caplog, n_columns):
    rows = (line.split("\t")[:n_columns] for line in TRANSCRIPTS.splitlines())
    bed = write(tmp_path, "".join("\t".join(row) + "\n" for row in rows), "tx.bed")
    assert [site.start for site in read_start_sites(bed)] == [3999, 6000, 8999]
    assert "start sites are 3 5' ends of the interval" in caplog.text


@pytest.mark.parametrize(
    ("rows", "sites", "text"),
    [
        # FANTOM5's CAGE peaks: BED9, thick is the base most used.
        (["chr1\t100\t150\tp\t9\t-\t120\t121\t0,0,255"], [120], "1 5' ends of the thick part"),
        (["chr1\t100\t160\tE\t9\t+\t149\t160"], [149], "1 5' ends of the thick part"),
        (["chr1\t100\t160\tE\t9\t-\t100\t111"], [110], "1 5' ends of the thick part"),
        # One wide thick part, and none of the file's is a start site.
        (
            ["chr1\t100\t160\tE\t9\t+\t149\t160", "chr1\t300\t900\tF\t9\t+\t320\t500"],
            [100, 300],
            "2 5' ends of the interval",
        ),
        # broadPeak: signal and p-value, no thick part.
        (["chr1\t0\t1000\tp\t0\t.\t5\t9\t2"], [0], "have no strand and are taken to be on +"),
        (["chr1\t7\t8\tx\t0\t-"], [7], "1 single bases"),
    ],
)
def test_the_point_that_is_taken_is_said(tmp_path, caplog, rows, sites, text):
    bed = write(tmp_path, "\n".join(rows) + "\n", "a.bed")
    assert [site.start for site in read_start_sites(bed)] == sites
    assert text in caplog.text
