"""Any bytes to any reader: all records or an error with a message, nothing else."""

import gzip
import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dnabert_hf.data.genome.annotation import read_start_sites
from dnabert_hf.data.genome.intervals import read_bed

sys.path.insert(0, str(Path(__file__).parent))
from fuzzing import READERS, check

# What the files are made of, so that many inputs get past the first line.
WORDS = [
    *(b">", b"@", b"+", b"#", b"\n", b"\r\n", b"\t", b" ", b",", b'"', b";", b"\0", b"-1", b"0"),
    *(b"7", b"ACGT", b"acgtn", b"UUU", b"ACG CGT", b"AXG", b"III", b"chr1", b"\xff", b"\xc2\x85"),
    *(b"sequence", b"label", b"id", b"contig\tposition\tstrand\n", b"\xef\xbb\xbf", b"\x1f\x8b"),
    *(b"##fileformat=VCFv4.2\n", b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n", b"<DEL>"),
    *(
        b"exon",
        b'transcript_id "t"',
        b"track",
        b"1\t5\t.\tA\tC,*\t.\t.\t.\n",
        b"\xd9\xa3",
        b"9" * 40,
    ),
]


@st.composite
def contents(draw, name):
    """An example of the format, or nothing, with pieces cut out, put in and doubled."""
    content = draw(st.sampled_from([READERS[name].example, b""]))
    for _ in range(draw(st.integers(0, 5))):
        begin, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
        piece = draw(st.one_of(st.sampled_from(WORDS), st.binary(max_size=4), st.just(b"")))
        content = content[:begin] + piece + content[draw(st.sampled_from([begin, end])) :]
    return content


@pytest.mark.parametrize("is_gzip", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", READERS)
def test_records_in_are_records_out_or_an_error(name, is_gzip, tmp_path_factory):
    folder = tmp_path_factory.mktemp(name)

    @settings(
        max_examples=40, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(contents(name))
    @example(b"")
    @example(b"\n\n")
    def run(content):
        check(name, content, folder, is_gzip=is_gzip)

    run()


@pytest.mark.parametrize("name", READERS)
def test_the_examples_are_read(name, tmp_path):
    assert check(name, READERS[name].example, tmp_path)


@pytest.mark.parametrize("name", READERS)
def test_a_gzip_file_that_was_cut_or_changed_is_refused(name, tmp_path):
    whole = gzip.compress(READERS[name].example * 50)
    reader = READERS[name]
    path = tmp_path / f"in{reader.suffix}.gz"
    for damaged in (whole[:-9], whole[:40] + b"\xff\xfe" + whole[42:], whole[:12]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=re.escape(str(path))):
            reader.read(path)


def test_a_damaged_block_of_gzip_is_no_traceback(tmp_path):
    """Found by benchmarks/fuzz_readers.py: zlib's own error came through."""
    path = tmp_path / "in.bed"
    path.write_bytes(b"\x1f\x8b\x08\x04=\x08\x1f\x8b\x01\x00\x00\x00\t1\x199\tn\t0\t2\nchr0 3 4\n")
    with pytest.raises(ValueError, match="must be readable text, found damage"):
        read_bed(path)


def test_a_table_of_blank_lines_is_no_traceback(tmp_path):
    """Found by benchmarks/fuzz_readers.py: a character that is blank in text, not in bytes."""
    path = tmp_path / "in.txt"
    path.write_bytes(b"\n\n\x1d")
    with pytest.raises(ValueError, match="must have a header with 'contig', 'position', 'strand'"):
        read_start_sites(path)
