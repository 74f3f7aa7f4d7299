"""Variants that lie on one copy of a chromosome, and the sequence with all of them."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.variants.alleles import Allele, normalize_allele
from dnabert_hf.data.variants.vcf import VcfRecord, iterate_vcf, read_vcf_header
from dnabert_hf.data.variants.windows import MISMATCH, AlleleWindows

__all__ = ["ALL_RECORDS", "Haplotype", "HaplotypeReader", "JointWindows", "cut_haplotype"]

ALL_RECORDS = "."  # in place of a sample: the alleles of all records
_BASES = frozenset("ACGT")
_FIXED = 9  # columns before the samples


class Haplotype(NamedTuple):
    """Alleles that lie together on one copy of a chromosome.

    Attributes:
        copy: Number of the copy, from 1, in the order of the genotypes.
        phase_set: Phase set (PS) that the copies are numbered in; "" if the file names none.
        alleles: Two or more alleles in their order, as written, without the bases that REF and ALT
            share.
    """

    copy: int
    phase_set: str
    alleles: tuple[Allele, ...]


class JointWindows(NamedTuple):
    """A window with all alleles of a haplotype, and with each of them alone.

    Attributes:
        joint: With all.
        singles: With each, in their order.
    """

    joint: AlleleWindows
    singles: list[AlleleWindows]


class _Carried(NamedTuple):
    """Alternative alleles of a record by copy (from 1), and the phase set; None fits all."""

    alts: dict[int, str]
    phase_set: str | None


@dataclass
class HaplotypeReader:
    """Reads the haplotypes of a sample.

    Attributes:
        path: VCF or BCF file, sorted by contig and position.
        sample: Name of the sample, or "." to take the alleles of all records together.
        span: Bases from the first to the last that change, at most.
        left_out: Records that are on no haplotype, by reason, once they are read.

    Raises:
        ValueError: If there is no such sample.
    """

    path: str | Path
    sample: str
    span: int
    left_out: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        samples = read_vcf_header(self.path)[-1].split("\t")[_FIXED:]
        if self.sample != ALL_RECORDS and self.sample not in samples:
            raise ValueError(
                f"the sample must be one of {self.path}: {', '.join(samples[:10]) or 'none'}, or "
                f'"{ALL_RECORDS}" for the alleles of all records together, got {self.sample!r}'
            )
        self._column = samples.index(self.sample) + _FIXED if self.sample in samples else -1

    def read(self) -> Iterator[Haplotype]:
        """Yield two or more alleles that lie on one copy, within the span, in their order.

        Raises:
            ValueError: If the records are not sorted, or none of the heterozygous ones is phased.
        """
        pending: dict[int, list[Allele]] = {}
        phase_set, place, n_phased = "", ("", -1), 0
        done: set[str] = set()
        for record in iterate_vcf(self.path):
            self._check_order(record, place, done)
            is_new = record.contig != place[0]
            place = (record.contig, record.start)
            carried = self._carried(record)
            if carried is None:
                continue
            if carried.phase_set is not None:
                n_phased += 1
            if is_new or carried.phase_set not in (None, phase_set):
                yield from self._take(pending, phase_set)
                phase_set = carried.phase_set or ""
            for copy, alt in carried.alts.items():
                written = Allele(record.contig, record.start, record.ref, alt)
                allele = normalize_allele(written, None, "") if alt else written
                if pending.get(copy) and allele.end - pending[copy][0].start > self.span:
                    yield from self._take({copy: pending.pop(copy)}, phase_set)
                pending.setdefault(copy, []).append(allele)
        yield from self._take(pending, phase_set)
        if self.left_out[_UNPHASED] and not n_phased:
            raise ValueError(
                f"{self.path}: genotypes of {self.sample} must be phased (GT with |), found none "
                f"among {self.left_out[_UNPHASED]} heterozygous ones; phase them first (WhatsHap, "
                "SHAPEIT, Beagle)"
            )

    def _check_order(self, record: VcfRecord, place: tuple[str, int], done: set[str]) -> None:
        contig, start = place
        if record.contig != contig:
            done.add(contig)
        if record.contig in done or (record.contig == contig and record.start < start):
            raise ValueError(
                f"{self.path} must be sorted to find what lies together, found {record.contig}:"
                f"{record.start + 1} after {contig}:{start + 1}; sort it (bcftools sort)"
            )

    def _take(self, pending: dict[int, list[Allele]], phase_set: str) -> Iterator[Haplotype]:
        for copy in sorted(pending):
            alleles = pending[copy]
            if len(alleles) > 1:
                ordered = sorted(alleles, key=lambda allele: (allele.start, allele.end))
                yield Haplotype(copy, phase_set, tuple(ordered))
        pending.clear()

    def _carried(self, record: VcfRecord) -> _Carried | None:
        """Tell which copies carry which alternative allele; None and a count if that is open."""
        if self._column < 0:
            if len(record.alts) > 1:
                self.left_out["records with several alternative alleles"] += 1
                return None
            return _Carried({1: record.alts[0]}, "")
        cells = record.line.split("\t")
        values = dict(zip(cells[8].split(":"), cells[self._column].split(":"), strict=False))
        genotype = values.get("GT", ".")
        numbers = re.split(r"[|/]", genotype)
        if not all(number.isdecimal() and int(number) <= len(record.alts) for number in numbers):
            self.left_out["missing genotypes"] += 1
            return None
        alts = {i: record.alts[int(n) - 1] for i, n in enumerate(numbers, 1) if int(n)}
        if len({*numbers}) == 1:
            return _Carried(alts, None) if alts else None
        if "/" in genotype:
            self.left_out[_UNPHASED] += bool(alts)
            return None
        phase_set = values.get("PS", ".")
        return _Carried(alts, "" if phase_set == "." else phase_set)


_UNPHASED = "heterozygous genotypes without phase"


def cut_haplotype(haplotype: Haplotype, genome: Genome, length: int) -> JointWindows | str:
    """Cut the window of a haplotype, or say why not, in a few words.

    The bases that change lie in its middle, or nearer to one end where the contig ends. Alleles are
    applied where the file has them, as `bcftools consensus` does: moved to the left they could
    jump over each other.

    Args:
        haplotype: The haplotype.
        genome: The genome.
        length: Bases of the window.
    """
    alleles = haplotype.alleles
    contig = genome.contig_names.find(alleles[0].contig)
    if contig is None:
        return "contig not in the genome"
    size = genome.length(contig)
    edits = []
    for allele in alleles:
        if not allele.alt or not _BASES.issuperset(allele.alt):
            return "an allele that is no sequence of A, C, G, T"
        if allele.start < 0 or allele.end > size:
            return "beyond the end of the contig"
        if genome.sequence(contig, allele.start, allele.end) != allele.ref:
            return MISMATCH
        edits.append(_edit(allele))
    for (first, end, _), (start, after, _) in zip(sorted(edits), sorted(edits)[1:], strict=False):
        if start < end or first == end == start == after:
            return "alleles overlap"
    begin, stop = alleles[0].start, max(allele.end for allele in alleles)
    longer = sum(end - start for start, end, _ in edits)
    grown = sum(len(letters) for _, _, letters in edits)
    if max(stop - begin, grown) > length // 2:
        return "alleles longer than half of the window"
    if size < length + longer:
        return "contig shorter than the window"
    first = max(0, min((begin + stop - length) // 2, size - length - longer))
    if stop - first + grown > length:
        return "too near the end of the contig"
    dna = genome.sequence(contig, first, first + length + longer)
    if not _BASES.issuperset(dna):
        return "letters other than A, C, G, T around it"
    ref, offset = dna[:length], begin - first
    joint = _applied(dna, first, edits)[:length]
    of_all = Allele(alleles[0].contig, begin, ref[offset : stop - first], "")
    of_all = of_all._replace(alt=_applied(of_all.ref, begin, edits))
    singles = [
        AlleleWindows(ref, _applied(dna, first, [edit])[:length], allele.start - first, allele)
        for allele, edit in zip(alleles, edits, strict=True)
    ]
    return JointWindows(AlleleWindows(ref, joint, offset, of_all), singles)


_Edit = tuple[int, int, str]


def _edit(allele: Allele) -> _Edit:
    """Say which bases are replaced by which: none of an insertion, by none of a deletion."""
    is_same = len(allele.ref) != len(allele.alt) and allele.ref[0] == allele.alt[0]
    return (allele.start + is_same, allele.end, allele.alt[is_same:])


def _applied(dna: str, first: int, edits: Sequence[_Edit]) -> str:
    for start, end, letters in sorted(edits, reverse=True):
        dna = dna[: start - first] + letters + dna[end - first :]
    return dna
