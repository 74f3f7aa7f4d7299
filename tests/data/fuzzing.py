"""What must hold for any bytes that a reader is given; shared by hypothesis and the fuzzer.

A reader gives every record of the file or raises ValueError or OSError with a message.
"""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dnabert_hf.data.genome.annotation import read_start_sites, read_transcripts
from dnabert_hf.data.genome.contig_names import read_aliases
from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.data.genome.intervals import read_bed
from dnabert_hf.data.reading.records_from_file import read_records
from dnabert_hf.data.variants.alleles import Allele
from dnabert_hf.data.variants.databases import KnownVariants
from dnabert_hf.data.variants.vcf import iterate_vcf, read_vcf_header
from dnabert_hf.interpretation.motifs.files import read_meme
from dnabert_hf.training.benchmark.suite_yaml import read_suite
from dnabert_hf.training.tasks.presets import find_task


class Reader(NamedTuple):
    """A reader, the suffix of its files, how many records bytes hold, and a file it reads."""

    suffix: str
    read: Callable[[Path], int]
    count: Callable[[bytes], int | None]
    example: bytes


def _lines(content: bytes) -> list[bytes]:
    """Cut as the readers do, at line feeds alone, without blank lines."""
    return [line for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]


def _records(path: Path) -> int:
    records = list(read_records(path))
    for record in records:
        assert record.id
        assert record.sequence
        assert not set(record.sequence) - set("ACGTNRYSWKMBDHV"), record
    return len(records)


def _count_fasta(content: bytes) -> int:
    return sum(line.startswith(b">") for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n"))


def _count_fastq(content: bytes) -> int:
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    groups = (lines[begin : begin + 4] for begin in range(0, len(lines), 4))
    return sum(bool(b"".join(group).strip()) for group in groups)


def _count_rows(content: bytes) -> int | None:
    # A cell in quotes may hold line ends, and csv ends lines at carriage returns too.
    return None if b'"' in content or b"\r" in content else len(_lines(content)) - 1


def _vcf(path: Path) -> int:
    read_vcf_header(path)
    return sum(1 for _ in iterate_vcf(path))


def _count_bed(content: bytes) -> int | None:
    texts = [line.decode("utf-8", "replace") for line in _lines(content)]
    return sum(not text.startswith(("#", "track", "browser")) for text in texts if text.strip())


def _bed(path: Path) -> int:
    intervals = read_bed(path)
    assert all(0 <= each.start < each.end for each in intervals)
    return len(intervals)


def _genome(path: Path) -> int:
    genome = open_genome(path)
    assert sum(contig.length for contig in genome.contigs) >= len(genome.contigs)
    return len(genome.contigs)


def _look_up(path: Path, catalog: str) -> int:
    alleles = [Allele("chr1", 5, "A", "C")]
    (found,) = KnownVariants(alleles, ["rs1"], "GRCh38").look_up(catalog, path)
    return len(found)


def _exons(path: Path) -> int:
    transcripts = read_transcripts(path)
    assert all(0 <= start < end for each in transcripts for start, end in each.exons)
    return len(transcripts)


READERS = {
    "fasta": Reader(".fa", _records, _count_fasta, b">a b\nACGTN\nacg\n>b\nUUU\n"),
    "fastq": Reader(
        ".fq",
        _records,
        _count_fastq,
        b"@a\nACG\n+\nIII\n@b\nA\n+\nI\n",
    ),
    "table": Reader(".tsv", _records, _count_rows, b"id\tsequence\tlabel\nx\tACGT\t1\ny\tA\t0\n"),
    "csv": Reader(".csv", _records, _count_rows, b'sequence,label\nACGT,1\n"ACG",2\n'),
    "any": Reader("", _records, lambda content: None, b"ACG CGT GTT\n"),
    "kmers": Reader(
        ".txt",
        _records,
        lambda content: None if b"\t" in content or b"," in content else -1,
        b"ACG CGT GTT\nTTT TTA\n",
    ),
    "vcf": Reader(
        ".vcf",
        _vcf,
        lambda content: sum(not line.startswith(b"#") for line in _lines(content)),
        b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        b"1\t5\t.\tA\tC,<DEL>\t.\t.\t.\n",
    ),
    "bed": Reader(".bed", _bed, _count_bed, b"track x\nchr1\t1\t9\tn\t0\t+\nchr1 3 4\n"),
    "gtf": Reader(
        ".gtf",
        _exons,
        lambda content: None,
        b'1\tx\texon\t3\t9\t.\t-\t.\tgene_id "g"; transcript_id "t";\n',
    ),
    "genome": Reader(
        ".fa",
        _genome,
        _count_fasta,
        b">a b\nACGTN\nacg\n>b\nUUU\n",
    ),
    "meme": Reader(
        ".meme",
        lambda path: len(read_meme(path)),
        lambda content: None,
        b"MEME version 4\n\nALPHABET= ACGT\n\nMOTIF a b\nletter-probability matrix: "
        b"alength= 4 w= 2 nsites= 9\n1 0 0 0\n0 0.5 0.5 0\n",
    ),
    "aliases": Reader(
        ".txt", lambda path: len(read_aliases(path)), lambda content: None, b"1\tchr1\tNC_1.2\n"
    ),
    "task": Reader(
        ".yaml",
        lambda path: len(find_task(str(path)).name),
        lambda content: None,
        b"summary: x\nlength: 20\nlabels: [a, b]\nmetric: mcc\n",
    ),
    "suite": Reader(
        ".yaml",
        lambda path: len(read_suite(path).models),
        lambda content: None,
        b"data: {a: in.yaml}\nmodels: {m: {init: random, k: 3}}\nseeds: [0, 1]\nlabels: [9, all]\n",
    ),
    "gwas": Reader(
        ".tsv",
        lambda path: _look_up(path, "gwas"),
        lambda content: None,
        b"SNPS\tCHR_ID\tCHR_POS\tDISEASE/TRAIT\tP-VALUE\tPUBMEDID\nrs1\t1\t6\tx\t1e-9\t7\n",
    ),
    "grasp": Reader(
        ".tsv",
        lambda path: _look_up(path, "grasp"),
        lambda content: None,
        b"SNPid(dbSNP134)\tchr(hg19)\tpos(hg19)\tPhenotype\tPvalue\tPMID\n1\t1\t6\tx\t1e-9\t7\n",
    ),
    "clinvar": Reader(
        ".vcf",
        lambda path: _look_up(path, "clinvar"),
        lambda content: None,
        b"##fileformat=VCFv4.2\n##reference=GRCh38\n##INFO=<ID=CLNSIG,Number=.,Type=String>\n"
        b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        b"1\t6\t9\tA\tC\t.\t.\tRS=1;CLNSIG=Benign;CLNDN=a|b\n",
    ),
    "sites": Reader(
        ".txt",
        lambda path: len(read_start_sites(path)),
        lambda content: None,
        b"contig\tposition\tstrand\n1\t5\t+\n",
    ),
}


def check(name: str, content: bytes, folder: Path, *, is_gzip: bool = False) -> int | None:
    """Read a file with some content; give the number of records, None if it was refused.

    Raises:
        AssertionError: If records were lost or made up, or the message of the refusal is empty.
    """
    reader = READERS[name]
    path = folder / f"in{reader.suffix}{'.gz' if is_gzip else ''}"
    path.write_bytes(gzip.compress(content) if is_gzip else content)
    try:
        found = reader.read(path)
    except (ValueError, OSError) as error:
        # Subclasses that Python raises by itself: no message for users.
        assert type(error) in (ValueError, OSError), repr(error)
        assert len(str(error)) > 20, repr(error)
        return None
    expected = reader.count(content)
    if expected == -1:
        return found
    assert expected is None or found == expected, f"{name}: {found} records of {expected}"
    return found
