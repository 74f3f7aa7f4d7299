"""Variants: VCF lines, their alleles, and the sequence around each on a genome."""

import logging
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import match_contigs, text_lines
from dnabert_hf.data.reading.streams import check_bgzip_end

__all__ = [
    "Allele",
    "AlleleWindows",
    "VcfRecord",
    "WindowCutter",
    "alleles_of",
    "iterate_vcf",
    "read_vcf_header",
]

logger = logging.getLogger(__name__)

_BASES = frozenset("ACGT")
_COLUMNS = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]
_BGZIP_BLOCK = 1 << 16  # bytes at most, by the SAM specification
_MISMATCHES_SHOWN = 5


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


class Allele(NamedTuple):
    """An alternative allele of a variant.

    Attributes:
        contig: Contig, as the variants' file calls it.
        start: First base of the reference allele (0-based).
        ref: Reference allele.
        alt: Alternative allele.
    """

    contig: str
    start: int
    ref: str
    alt: str


class AlleleWindows(NamedTuple):
    """The sequence around an allele, of one length with either.

    Attributes:
        ref: DNA with the reference allele.
        alt: DNA with the alternative allele.
        offset: Where the alleles begin in both (0-based).
        is_single_base: Whether one base is replaced by another.
    """

    ref: str
    alt: str
    offset: int
    is_single_base: bool


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
    try:
        with pysam.VariantFile(str(path)) as file:
            header = str(file.header).splitlines()
            records = (str(record).rstrip("\n") for record in file)
            yield from enumerate(chain(header, records), start=1)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path}: the BCF file must be whole, found damage ({error}); copy or download it again"
        ) from error


def _is_bcf(path: Path, name: str) -> bool:
    """Tell a BCF file by its first bytes; one that was cut off is refused."""
    if not path.is_file():
        return False
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


@dataclass
class WindowCutter:
    """Cuts the sequence around alleles, and counts those it cannot.

    The alleles begin in the middle of the window, or nearer to one end where the contig ends; an
    insertion or a deletion moves what follows it, so that both windows have one length.

    Attributes:
        genome: The genome.
        length: Bases of a window.
        source: What the variants are called in messages.
        skipped: How many alleles were not cut, by reason.
    """

    genome: Genome
    length: int
    source: str = "the variants"
    skipped: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if self.length < 3:
            raise ValueError(f"a window must have 3 bases or more, got {self.length}")
        longest = max(contig.length for contig in self.genome.contigs)
        if self.length > longest:
            raise ValueError(
                f"a window must fit into the genome, got {self.length} bases, where its longest "
                f"contig has {longest}; choose a shorter one (--window)"
            )
        self._names: dict[str, str | None] = {}

    def cut(self, allele: Allele) -> AlleleWindows | str:
        """Cut the window of an allele with both alleles, or say why not, in a few words."""
        found = self._cut(allele)
        if isinstance(found, str):
            self.skipped[found] += 1
        return found

    def cut_shifted(self, allele: Allele, shift: int) -> AlleleWindows | None:
        """Cut a window that lies some bases further on; None if it cannot be, or is the same.

        Args:
            allele: An allele that `cut` has cut.
            shift: Bases from the window of `cut` to this one; less than 0 for one that lies before.
        """
        found = self._cut(allele, shift)
        return None if isinstance(found, str) or found == self._cut(allele) else found

    def _cut(self, allele: Allele, shift: int = 0) -> AlleleWindows | str:
        if not _BASES.issuperset(allele.alt) or not allele.alt:
            return _not_bases(allele.alt)
        contig = self._name(allele.contig)
        if contig is None:
            return "contig not in the genome"
        contig_length = self.genome.length(contig)
        end = allele.start + len(allele.ref)
        if allele.start < 0 or end > contig_length:
            return "beyond the end of the contig"
        if self.genome.sequence(contig, allele.start, end) != allele.ref:
            return self._note_mismatch(allele, contig, end)
        if max(len(allele.ref), len(allele.alt)) > self.length // 2:
            return "allele longer than half of the window"
        longer = max(len(allele.ref) - len(allele.alt), 0)
        if contig_length < self.length + longer:
            return "contig shorter than the window"
        first = allele.start - (self.length - 1) // 2 + shift
        first = max(0, min(first, contig_length - self.length - longer))
        if allele.start - first + max(len(allele.ref), len(allele.alt)) > self.length:
            return "too near the end of the contig"
        before = self.genome.sequence(contig, first, allele.start)
        n_after = self.length - len(before)
        ref = before + self.genome.sequence(contig, allele.start, allele.start + n_after)
        n_rest = n_after - len(allele.alt)
        alt = before + allele.alt + self.genome.sequence(contig, end, end + n_rest)
        if not _BASES.issuperset(ref) or not _BASES.issuperset(alt):
            return "letters other than A, C, G, T around it"
        is_single_base = len(allele.ref) == len(allele.alt) == 1
        return AlleleWindows(ref, alt, len(before), is_single_base)

    def _name(self, contig: str) -> str | None:
        """Find the genome's name of a contig; what is translated is said once."""
        if contig not in self._names:
            known = [each.name for each in self.genome.contigs]
            try:
                self._names[contig] = match_contigs([contig], known, source=self.source)[contig]
            except ValueError as error:
                logger.warning("%s", error)
                self._names[contig] = None
        return self._names[contig]

    def _note_mismatch(self, allele: Allele, contig: str, end: int) -> str:
        reason = "REF is not the base of the genome"
        if self.skipped[reason] < _MISMATCHES_SHOWN:
            found = self.genome.sequence(contig, allele.start, end)
            logger.warning(
                "%s:%d (1-based): REF must be the genome's %s, found %s; not scored",
                *(allele.contig, allele.start + 1, found[:20], allele.ref[:20]),
            )
        return reason

    def summary(self) -> str:
        """Say how many alleles were not scored, and why; "" if all were."""
        return ", ".join(f"{n} {reason}" for reason, n in self.skipped.items())


def _not_bases(alt: str) -> str:
    """Say what an alternative allele is that is no sequence of A, C, G and T."""
    if alt == "*":
        return "allele * (deleted by another record)"
    if alt in (".", ""):
        return "no alternative allele"
    if alt.isalpha():
        return "letters other than A, C, G, T in the alternative allele"
    return "symbolic alternative allele"


def alleles_of(record: VcfRecord) -> Sequence[Allele]:
    """List the alternative alleles of a record."""
    return [Allele(record.contig, record.start, record.ref, alt) for alt in record.alts]
