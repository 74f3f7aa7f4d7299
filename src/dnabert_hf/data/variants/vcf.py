"""Variants: the lines of VCF and BCF files, and their alleles."""

import zlib
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from dnabert_hf.data.reading.lines import text_lines
from dnabert_hf.data.reading.streams import check_bgzip_end
from dnabert_hf.data.variants.alleles import Allele

__all__ = [
    "VcfRecord",
    "alleles_of",
    "iterate_vcf",
    "read_vcf_header",
]

_COLUMNS = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]
_BGZIP_BLOCK = 1 << 16  # bytes at most, by the SAM specification


class VcfRecord(NamedTuple):
    """A line of a VCF file.

    Attributes:
        line: The line as it stands in the file, without its end.
        contig: Contig, as the file calls it.
        start: First base of REF (0-based).
        ref: Reference allele, upper case.
        alts: Alternative alleles, upper case; symbolic ones as they are.
        name: ID, "" if the file gives none.
    """

    line: str
    contig: str
    start: int
    ref: str
    alts: tuple[str, ...]
    name: str


def read_vcf_header(path: str | Path) -> list[str]:
    """Read the header of a VCF file, plain or gzip, or of a BCF file.

    Args:
        path: The file.

    Returns:
        Its lines up to the one with the names of the columns, which is the last.

    Raises:
        ValueError: If the file is missing, no VCF, or was cut off (bgzip).
    """
    header = []
    for number, line in _lines(path):
        if not line.startswith("#") or (number == 1 and not line.startswith("##fileformat=VCF")):
            break
        header.append(line)
        if line.startswith("#CHROM"):
            if line.split("\t")[:8] != _COLUMNS:
                raise ValueError(
                    f"{path}, line {number}: the columns of a VCF must be {' '.join(_COLUMNS)}, "
                    f"tab-separated, found {line[:80]!r}; correct the line"
                )
            return header
    raise ValueError(
        f"{path} must be a VCF: begin with ##fileformat=VCF and name its columns in a line "
        "#CHROM; found none; take the file from its source again"
    )


def _lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a VCF file, or those that a BCF file stands for, with their number."""
    if not Path(path).is_file():
        # A pipe would give its header to one reader and its records to none.
        raise ValueError(f"{path} must be a file, found none; check the path")
    if not _is_bcf(Path(path), str(path)):
        yield from text_lines(path)
        return
    try:
        import pysam
    except ImportError as error:
        raise ImportError(
            f"{path} is a BCF file, which needs pysam: pip install 'dnabert-hf[variants]' (or make "
            "a VCF of it: bcftools view in.bcf -o in.vcf)"
        ) from error
    verbosity = pysam.set_verbosity(0)  # htslib would say that there is no index
    try:
        file = pysam.VariantFile(str(path))
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    finally:
        pysam.set_verbosity(verbosity)
    try:
        with file:
            header = str(file.header).splitlines()
            records = (str(record).rstrip("\n") for record in file)
            yield from enumerate(chain(header, records), start=1)
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: str | Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path}: the BCF file must be whole, found damage ({error}); copy or download it again"
    )


def _is_bcf(path: Path, name: str) -> bool:
    """Tell a BCF file by its first bytes; one that was cut off is refused."""
    with path.open("rb") as stream:
        # A block of bgzip, all of which may be needed for the first letters of what it holds.
        head = stream.read(_BGZIP_BLOCK)
        if head[:2] != b"\x1f\x8b":
            return head[:3] == b"BCF"
        try:
            is_bcf = zlib.decompressobj(wbits=31).decompress(head, 3) == b"BCF"
        except zlib.error:
            return False
        if is_bcf:
            check_bgzip_end(stream, head, name)
        return is_bcf


def iterate_vcf(path: str | Path) -> Iterator[VcfRecord]:
    """Yield the records of a VCF file, plain or gzip, or of a BCF file, in its order.

    Args:
        path: The file.

    Raises:
        ValueError: If a line has too few columns, no position from 1 on, or no REF; the message
            names the line.
    """
    for number, line in _lines(path):
        if line.startswith("#"):
            continue
        cells = line.split("\t", 8)
        if len(cells) < 8:
            raise ValueError(
                f"{path}, line {number}: a line of a VCF must have 8 tab-separated columns or "
                f"more, found {len(cells)}; correct it"
            )
        contig, position, name, ref, alts = cells[:5]
        if not (position.isascii() and position.isdecimal()):
            raise ValueError(
                f"{path}, line {number}: POS must be a whole number from 1 on, found "
                f"{position!r}; correct it"
            )
        if not ref or not alts:
            raise ValueError(f"{path}, line {number}: REF and ALT must not be empty; correct it")
        # 0 stands for the base before the contig: such an allele is counted, not scored.
        yield VcfRecord(
            line,
            contig,
            int(position) - 1,
            ref.upper(),
            # Letters alone: <DEL> and A[chr2:5[ name what letters' case matters to.
            tuple(alt.upper() if alt.isalpha() else alt for alt in alts.split(",")),
            "" if name == "." else name,
        )


def alleles_of(record: VcfRecord) -> Sequence[Allele]:
    """List the alternative alleles of a record."""
    return [Allele(record.contig, record.start, record.ref, alt) for alt in record.alts]
