import io
import os
import sys
from types import SimpleNamespace

import pytest

from dnabert_hf.data.genome.annotation import read_start_sites, read_transcripts
from dnabert_hf.data.genome.intervals import read_bed
from dnabert_hf.data.reading.fasta import read_fasta_pieces
from dnabert_hf.data.reading.records_from_file import read_records
from dnabert_hf.data.reading.streams import open_uncompressed
from dnabert_hf.data.variants.databases import CATALOGS
from dnabert_hf.data.variants.vcf import iterate_vcf, read_vcf_header

VCF = "##fileformat=VCFv4.2\n##INFO=<ID=CLNSIG,>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
GWAS = "SNPS\tCHR_ID\tCHR_POS\tDISEASE/TRAIT\tP-VALUE\tPUBMEDID\n"
# Each reader, and blocks of a file that it reads whole, each of which ends with a line.
READERS = {
    "fasta": (read_records, ".fa.gz", (">a\nACGT\n", ">b\nACGT\n")),
    "fastq": (read_records, ".fq.gz", ("@a\nAC\n+\nII\n", "@b\nAC\n+\nII\n")),
    "table": (read_records, ".tsv.gz", ("sequence\nACGT\n", "ACGT\n")),
    "csv": (read_records, ".csv.gz", ("sequence\nACGT\n", "ACGT\n")),
    "k-mers": (read_records, ".txt.gz", ("ACG CGT\n", "ACG CGT\n")),
    "genome": (
        lambda path: read_fasta_pieces(path, report=lambda _: None),
        ".fa.gz",
        (">a\nACGT\n", ">b\nACGT\n"),
    ),
    "bed": (read_bed, ".bed.gz", ("chr1\t1\t5\n", "chr1\t8\t9\n")),
    "gtf": (
        read_transcripts,
        ".gtf.gz",
        ('c\tx\texon\t1\t5\t.\t+\t.\ttranscript_id "t";\n',) * 2,
    ),
    "start sites": (read_start_sites, ".tsv.gz", ("contig\tposition\tstrand\nc\t5\t+\n",)),
    "vcf header": (read_vcf_header, ".vcf.gz", (VCF, "c\t5\t.\tA\tC\t.\t.\t.\n")),
    "vcf": (iterate_vcf, ".vcf.gz", (VCF, "c\t5\t.\tA\tC\t.\t.\t.\n")),
    "gwas": (lambda path: CATALOGS["gwas"](path)[1], ".tsv.gz", (GWAS, "rs1\t1\t5\tx\t1\t1\n")),
}


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_refuses_bgzip_cut_between_two_blocks(bgzip, tmp_path, reader):
    read, suffix, contents = READERS[reader]
    path = tmp_path / f"x{suffix}"
    blocks = [content.encode() for content in contents]
    path.write_bytes(bgzip(*blocks))
    assert list(read(path))
    path.write_bytes(bgzip(*blocks, is_whole=False))
    with pytest.raises(ValueError, match="truncated bgzip file: it must end with an empty block"):
        list(read(path))


def test_a_cut_file_is_refused_before_its_first_record(bgzip, tmp_path):
    path = tmp_path / "x.fa.gz"
    path.write_bytes(bgzip(b">a\nACGT\n", is_whole=False))
    with pytest.raises(ValueError, match="truncated bgzip"):
        read_records(path)


@pytest.mark.parametrize("is_whole", [True, False])
def test_in_a_pipe_the_end_of_bgzip_is_looked_for_at_the_end(bgzip, monkeypatch, is_whole):
    packed = bgzip(*[b"ACGT\n" * 2000] * 9, is_whole=is_whole)
    read_end, write_end = os.pipe()
    os.write(write_end, packed)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=pipe))
        if is_whole:
            assert len(read_standard_input()) == 90_000
            return
        with pytest.raises(ValueError, match="standard input is a truncated bgzip file"):
            read_standard_input()


def read_standard_input():
    with open_uncompressed(None, "standard input") as (_, stream):
        return stream.read()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"BZh91AY&SY", "bzip2; uncompress it first: bunzip2"),
        (b"\xfd7zXZ\x00\x00\x04", "xz; uncompress it first"),
        (b"PK\x03\x04\x14\x00", "zip"),
        (b"\x43\x27\x41\x1a\0\0\0\0\1\0\0\0", "2bit; make FASTA of it: twoBitToFa"),
        (b"\x28\xb5\x2f\xfd\x04", "Zstandard"),
        (b"BAM\x01\0\0", "BAM"),
        (b"@HD\tVN:1.6\n@SQ\tSN:1\tLN:9\n", "SAM; samtools fasta"),
        (b"LOCUS       AB000001  459 bp    DNA\n", "GenBank"),
        (b"ID   X56734; SV 1; linear; mRNA; STD; PLN; 1859 BP.\n", "EMBL"),
        (">a\nACGT\n".encode("utf-16"), "UTF-16 text; convert it: iconv"),
        (">a\nACGT\n".encode("utf-16-le"), "UTF-16 text"),
        (">a\nACGT\n".encode("utf-16-be"), "UTF-16 text"),
        (b">a\rACGT\r>b\rAC\r", r"line ends of the old Macintosh .*tr '\\r'"),
        (b"<!DOCTYPE html><html>404</html>", "a web page"),
    ],
)
@pytest.mark.parametrize("suffix", [".fa", ".tsv", ".bed"])
def test_a_format_that_is_not_read_is_called_by_its_name(tmp_path, content, found, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    read = read_bed if suffix == ".bed" else read_records
    with pytest.raises(ValueError, match=f"must be text, plain or gzip, found {found}"):
        read(path)


@pytest.mark.parametrize(
    "content", [b"LOCUS\tsequence\nx\tACGT\n", b"ID\tsequence\nx\tACGT\n", b"sequence\r\nACGT\r\n"]
)
def test_what_only_looks_like_another_format_is_read(tmp_path, content):
    (tmp_path / "x.tsv").write_bytes(content)
    assert [record.sequence for record in read_records(tmp_path / "x.tsv")] == ["ACGT"]


def test_one_may_read_on_after_the_first_bytes_of_a_pipe(monkeypatch):
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Pipe(b">a\nACGT\n" * 20_000)))
    with open_uncompressed(None, "standard input") as (head, stream):
        assert stream.read().startswith(head)
