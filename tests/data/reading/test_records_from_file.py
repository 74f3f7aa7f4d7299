import gzip
import io
import logging
import sys
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.data.reading.records_from_file import has_known_suffix, read_records

TWO = [("0", "ATGGC"), ("1", "GGGG")]
CONTENTS = {
    "x.fa": b">0\nATG\nGC\n>1\nGGGG\n",
    "x.fasta": b">0\nATGGC\n>1\nGGGG\n",
    "x.fna": b">0\nATGGC\n>1\nGGGG\n",
    "x.ffn": b">0\nATGGC\n>1\nGGGG\n",
    "x.fq": b"@0\nATGGC\n+\nIIIII\n@1\nGGGG\n+\nIIII\n",
    "x.fastq": b"@0\nATGGC\n+\nIIIII\n@1\nGGGG\n+\nIIII\n",
    "x.tsv": b"sequence\tlabel\nATGGC\t1\nGGGG\t0\n",
    "dev.tsv": b"sequence\tlabel\nATG TGG GGC\t1\nGGG GGG\t0\n",
    "table.txt": b"sequence\tlabel\nATGGC\t1\nGGGG\t0\n",
    "6_3k.txt": b"ATG TGG GGC\nGGG GGG\n",
    "x.csv": b"\xef\xbb\xbfsequence,label\r\nATGGC,1\r\nGGGG,0\r\n",
}


def pairs(records):
    return [(record.id, record.sequence) for record in records]


def parquet_bytes():
    stream = io.BytesIO()
    pq.write_table(pa.table({"sequence": ["ATGGC", "GGGG"]}), stream)
    return stream.getvalue()


def set_stdin(monkeypatch, content, step=None):
    class Pipe(io.RawIOBase):
        rest = content

        def readable(self):
            return True

        def readinto(self, buffer):
            letters = self.rest[: min(len(buffer), step or len(buffer))]
            self.rest = self.rest[len(letters) :]
            buffer[: len(letters)] = letters
            return len(letters)

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Pipe())))


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("compress", [False, True])
def test_every_text_format_is_known_by_its_suffix_plain_and_gzip(tmp_path, name, compress):
    path = tmp_path / (name + ".gz" if compress else name)
    path.write_bytes(gzip.compress(CONTENTS[name]) if compress else CONTENTS[name])
    assert pairs(read_records(path)) == TWO


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("compress", [False, True])
def test_every_text_format_is_known_by_its_content_on_standard_input(monkeypatch, name, compress):
    content = gzip.compress(CONTENTS[name]) if compress else CONTENTS[name]
    set_stdin(monkeypatch, content, step=1)
    assert pairs(read_records("-")) == TWO


@pytest.mark.parametrize(
    "content",
    [parquet_bytes(), gzip.compress(parquet_bytes(), mtime=0)],
    ids=["plain", "gzip"],
)
def test_parquet_is_read_from_a_file_and_from_standard_input(monkeypatch, tmp_path, content):
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    assert pairs(read_records(path)) == TWO
    set_stdin(monkeypatch, content)
    assert pairs(read_records("-")) == TWO


def test_gzip_of_several_members_as_bgzip_writes_it_is_read_to_its_end(tmp_path):
    path = tmp_path / "x.fa.bgz"
    path.write_bytes(gzip.compress(b">0\nATG\n") + gzip.compress(b"GC\n>1\nGGGG\n"))
    assert pairs(read_records(path)) == TWO


def test_the_format_can_be_named(tmp_path):
    path = tmp_path / "x.data"
    path.write_bytes(b"ATGGC\nGGGG\n")
    assert pairs(read_records(path, file_format="kmers")) == TWO
    path.write_bytes(b"sequence\nATG TGG GGC\nGGG GGG\n")
    assert pairs(read_records(str(path), file_format="kmers")) == TWO


def test_labels_and_named_columns_come_through(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("dna,label\nACGT,a;b\n")
    records = read_records(path, columns=Columns(sequence="dna"), labelled=True)
    assert list(records) == [SequenceRecord("0", "ACGT", "a;b")]


def test_labels_asked_for_must_be_in_the_file(tmp_path):
    (tmp_path / "x.csv").write_text("sequence\nACGT\n")
    with pytest.raises(ValueError, match="column 'label' for the label, found 'sequence'"):
        list(read_records(tmp_path / "x.csv", labelled=True))
    (tmp_path / "x.fa").write_text(">a\nACGT\n")
    with pytest.raises(ValueError, match=r"must be a table to have columns for label, .* fasta"):
        list(read_records(tmp_path / "x.fa", labelled=True))
    with pytest.raises(ValueError, match="must be a table to have columns for id, sequence"):
        list(read_records(tmp_path / "x.fa", columns=Columns(id="name")))


def test_a_sequence_shorter_than_k_is_refused_with_its_record(tmp_path):
    (tmp_path / "x.fa").write_text(">a\nACGTAC\n>b\nACGTA\n")
    with pytest.raises(ValueError, match=r"x\.fa, record b: .* k = 6 bases long, found 5"):
        list(read_records(tmp_path / "x.fa", k=6))
    (tmp_path / "x.csv").write_text("sequence,sequence_b\nACGTAC,ACG\n")
    with pytest.raises(ValueError, match=r"x\.csv, record 0: .* found 3"):
        list(read_records(tmp_path / "x.csv", k=6))


def test_unknown_kmers_are_counted_and_reported_once(tmp_path, caplog):
    (tmp_path / "x.fa").write_text(">a\nACGN\n>b\nNACGT\n")
    with caplog.at_level(logging.WARNING, logger="dnabert_hf"):
        assert len(list(read_records(tmp_path / "x.fa", k=3))) == 2
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/x.fa: 2 of 5 k-mers (k = 3) hold letters other than A, C, G, T and "
        "become [UNK]"
    ]


def test_nothing_is_reported_where_every_kmer_is_known(tmp_path, caplog):
    (tmp_path / "x.fa").write_text(">a\nACGT\n")
    assert len(list(read_records(tmp_path / "x.fa", k=3))) == 1
    assert not caplog.records


def test_missing_files_folders_and_unknown_formats_are_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match=r"none\.fa must be a file of sequences, found no such"):
        read_records(tmp_path / "none.fa")
    with pytest.raises(ValueError, match="must be a file of sequences, found a folder"):
        read_records(tmp_path)
    with pytest.raises(ValueError, match=r"file_format must be one of csv, .* got 'bam'"):
        read_records(tmp_path / "x.bam", file_format="bam")


@pytest.mark.parametrize(
    "content", [b"", b"\n \n", gzip.compress(b"", mtime=0)], ids=["none", "space", "gzip"]
)
def test_an_empty_file_is_refused(tmp_path, content):
    (tmp_path / "x.fa").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.fa must have content, found an empty file"):
        list(read_records(tmp_path / "x.fa"))


@pytest.mark.parametrize("damage", ["cut", "changed", "followed"])
def test_truncated_and_damaged_gzip_files_are_refused(tmp_path, damage):
    whole = gzip.compress(b">a\n" + bytes(range(65, 68)) * 9999, mtime=0)
    content = {
        "cut": whole[:-20],
        "changed": whole[:20] + b"\xff\xff\xff\xff" + whole[24:],
        "followed": whole + b"something else",
    }[damage]
    (tmp_path / "x.fa.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.fa\.gz is a truncated or damaged gzip file; copy"):
        list(read_records(tmp_path / "x.fa.gz"))


def test_a_gz_file_that_is_not_compressed_is_refused(tmp_path):
    (tmp_path / "x.fa.gz").write_bytes(b">a\nACGT\n")
    with pytest.raises(ValueError, match=r"x\.fa\.gz must be compressed with gzip"):
        list(read_records(tmp_path / "x.fa.gz"))


def test_memory_does_not_grow_with_the_file(tmp_path):
    (tmp_path / "x.fa").write_bytes(
        b"".join(b">%d\n%b\n" % (n, b"ACGT" * 250) for n in range(20_000))
    )
    tracemalloc.start()
    n_letters = sum(len(record.sequence) for record in read_records(tmp_path / "x.fa"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_letters == 20_000_000
    assert peak < 10_000_000


def test_known_suffixes_are_those_of_sequence_files(tmp_path):
    assert has_known_suffix(tmp_path / "train.TSV.gz")
    assert not has_known_suffix(tmp_path / "train.log")
