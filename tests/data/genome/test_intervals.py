import gzip
import logging

import pytest

from dnabert_hf.data.genome.contig_names import match_contigs
from dnabert_hf.data.genome.intervals import Interval, read_bed


def write(tmp_path, text, name="a.bed"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_bed_of_any_width_is_read(tmp_path):
    text = "track name=x\n#note\nchr1\t5\t15\n\nchr2 7 9 peak 0 -\nchr3\t1\t4\t.\t0\t.\n"
    assert read_bed(write(tmp_path, text)) == [
        Interval("chr1", 5, 15),
        Interval("chr2", 7, 9, "-", "peak"),
        Interval("chr3", 1, 4),
    ]


def test_the_summit_of_a_narrow_peak_is_its_point(tmp_path):
    line = "chr1\t100\t200\tp{}\t9\t.\t1.5\t2.5\t-1\t{}\n"
    peaks = read_bed(write(tmp_path, line.format(1, 30) + line.format(2, -1), "a.narrowPeak"))
    assert [peak.point for peak in peaks] == [130, None]


def test_the_thick_part_begins_at_the_start_site_of_an_epdnew_promoter(tmp_path):
    text = (
        "chr1\t959245\t959305\tNOC2L_1\t900\t-\t959245\t959256\n"
        "chr1\t960583\t960643\tKLHL17_1\t900\t+\t960632\t960643\n"
        "chr1\t10\t20\twhole\t900\t+\t10\t20\n"
        "chr1\t10\t11\tsingle\t900\t-\n"
    )
    points = [interval.point for interval in read_bed(write(tmp_path, text))]
    assert points == [959255, 960632, None, 10]


def test_gzip_is_read(tmp_path):
    path = tmp_path / "a.bed.gz"
    path.write_bytes(gzip.compress(b"chr1\t0\t5\n"))
    assert read_bed(path) == [Interval("chr1", 0, 5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1\t5\n", r"a\.bed, line 1: .* contig, start and end, found 2 columns"),
        ("chr1\t0\t5\nchr1\tx\t5\n", r"line 2: start must be a whole number, found 'x'"),
        ("chr1\t5\t5\n", r"line 1: .*0 <= start < end .*found 5 to 5"),
        ("chr1\t-1\t5\n", "found -1 to 5"),
        ("chr1\t1\t5\tn\t0\tx\n", "strand must be .* found 'x'"),
        ("chr1\t1\t5\tn\t0\t+\t1\t1\t1\t4\n", r"within its 4 bases, found 4"),
        ("# nothing\n", "must hold intervals, found no line of BED"),
    ],
)
def test_a_bad_line_is_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_bed(write(tmp_path, text))


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a file, found none"):
        read_bed(tmp_path / "none.bed")
    (tmp_path / "latin.bed").write_bytes(b"chr1\t0\t5\nchr1\t0\t5\t\xe4\n")
    with pytest.raises(ValueError, match=r"near line 2: .*readable text, found damage"):
        read_bed(tmp_path / "latin.bed")
    (tmp_path / "cut.bed.gz").write_bytes(gzip.compress(b"chr1\t0\t5\n" * 1000)[:-9])
    with pytest.raises(ValueError, match="readable text, found damage"):
        read_bed(tmp_path / "cut.bed.gz")


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("1", "chr1", "chr1"),
        ("chrX", "X", "X"),
        ("MT", "chrM", "chrM"),
        ("chrM", "MT", "MT"),
        ("M", "chrM", "chrM"),
    ],
)
def test_ucsc_and_ensembl_names_are_matched_and_it_is_said(name, known, found, caplog):
    with caplog.at_level(logging.WARNING):
        assert match_contigs([name], ["other", known], source="a.bed") == {name: found}
    assert caplog.messages == [
        f"contigs of a.bed have other names in the genome; taken as the same: {name} = {found}"
    ]


def test_contigs_that_are_missing_are_listed(caplog):
    with caplog.at_level(logging.WARNING):
        names = ["chr1", *(f"c{i}" for i in range(7)), "chr1", *(f"d{i}" for i in range(95))]
        assert match_contigs(names, ["chr1"], source="a.bed") == {"chr1": "chr1"}
    assert caplog.messages == [
        "a.bed: 102 contigs are not in the genome, and what lies on them is left out: "
        f"{', '.join(names[1:8])}, {', '.join(names[9:102])} and 2 more"
    ]
    with pytest.raises(ValueError, match="must lie on contigs of the genome, found x, where"):
        match_contigs(["x"], ["chr1"], source="a.bed")
