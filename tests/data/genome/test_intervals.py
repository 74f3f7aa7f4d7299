import gzip
import os
import threading

import pytest

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


def test_another_file_of_ten_columns_has_no_summits(tmp_path):
    """A BED6+4 of genes, whose last column counts something."""
    line = "chr1\t1000\t4000\tN\t0\t-\t12\tgene\tx\t17\n"
    assert [peak.point for peak in read_bed(write(tmp_path, line, "genes.bed"))] == [None]


@pytest.mark.parametrize("score", ["-1", "3.5e+02", "Inf", "NA", "."])
def test_a_score_that_is_not_known_leaves_the_summit(tmp_path, score):
    line = f"chr1\t1000\t4000\tN\t0\t.\t12\t{score}\t{score}\t17\n"
    assert [peak.point for peak in read_bed(write(tmp_path, line, "a.narrowPeak"))] == [1017]


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
    ("summit", "point"),
    [("50", 1050), ("50.0", 1050), ("5e+01", 1050), ("-1.0", None), ("NA", None), ("", None)],
)
def test_summits_may_be_written_as_pandas_and_r_do(tmp_path, summit, point):
    line = f"chr1\t1000\t1300\tp\t9\t.\t1.5\t2.5\t-1\t{summit}\n"
    assert read_bed(write(tmp_path, line)) == [Interval("chr1", 1000, 1300, "+", "p", point)]


def test_a_summit_between_two_bases_is_refused(tmp_path):
    line = "chr1\t1000\t1300\tp\t9\t.\t1.5\t2.5\t-1\t0.5\n"
    with pytest.raises(ValueError, match=r"summit of a peak must be a whole number, found '0\.5'"):
        read_bed(write(tmp_path, line))


def test_positions_may_be_written_as_pandas_and_r_do(tmp_path):
    text = "chr1\t1e+05\t100300.0\tp\t9\t*\n chr1\t 7 \t9\n"
    assert read_bed(write(tmp_path, text)) == [
        Interval("chr1", 100_000, 100_300, "+", "p"),
        Interval("chr1", 7, 9),
    ]
    with pytest.raises(ValueError, match=r"start must be a whole number, found '7\.5'"):
        read_bed(write(tmp_path, "chr1\t7.5\t9\n"))


def test_a_header_line_is_passed_over_in_the_first_line_alone(tmp_path):
    text = "# x\nchrom\tchromStart\tchromEnd\nchr1\t1\t5\n"
    assert read_bed(write(tmp_path, text)) == [Interval("chr1", 1, 5)]
    with pytest.raises(ValueError, match="line 2: start must be a whole number, found 'start'"):
        read_bed(write(tmp_path, "chr1\t1\t5\nchrom\tstart\tend\n"))


def test_bad_lines_are_skipped_and_counted_if_asked(tmp_path, caplog):
    text = "chr1\t1\t5\nchr1\t7\t7\nchr1\tx\t5\nchr1\t8\t9\n"
    assert read_bed(write(tmp_path, text), skip_bad=True) == [
        Interval("chr1", 1, 5),
        Interval("chr1", 8, 9, point=8),
    ]
    assert "2 bad lines left out; first: " in caplog.text
    assert "line 2: an interval must have" in caplog.text
    with pytest.raises(ValueError, match=r"line 2: .*--skip-bad"):
        read_bed(write(tmp_path, text), skip_bad=False)
    with pytest.raises(ValueError, match="must hold intervals, found no line"):
        read_bed(write(tmp_path, "chr1\t7\t7\n"), skip_bad=True)


def test_a_pipe_is_read(tmp_path):
    pipe = tmp_path / "pipe.bed"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("chr1\t1\t5\n",))
    writer.start()
    assert read_bed(pipe) == [Interval("chr1", 1, 5)]
    writer.join()
