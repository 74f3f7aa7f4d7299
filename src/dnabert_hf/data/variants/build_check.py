"""Check that variants were called on the genome at hand, and not on another build."""

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.variants.vcf import VcfRecord, iterate_vcf, read_vcf_header

__all__ = ["BUILDS", "check_build", "named_build"]

logger = logging.getLogger(__name__)

BUILDS = {"GRCh37": "GRCh37", "hg19": "GRCh37", "GRCh38": "GRCh38", "hg38": "GRCh38"}
_CONTIG = re.compile(r"##contig=<.*\bID=([^,>]+).*\blength=(\d+)")
_BASES = frozenset("ACGT")
_CHECKED = 10_000  # records; another build shows after a few dozen
_ENOUGH = 20  # records from which on a share means something
_MOST_ERRORS = 0.2  # share of references that differ; chance alone gives about 0.75
_SHOWN = 3


def named_build(header: Sequence[str]) -> str | None:
    """Find the human build that the header of a VCF names, "GRCh37" or "GRCh38"; None without.

    Example:
        >>> named_build(["##fileformat=VCFv4.2", "##reference=file:///data/hg19.fa"])
        'GRCh37'
    """
    named = "".join(line for line in header if line.startswith(("##reference=", "##assembly=")))
    return next((build for key, build in BUILDS.items() if key.lower() in named.lower()), None)


def check_build(path: str | Path, genome: Genome, *, force: bool = False) -> None:
    """Compare the references of a VCF with the genome, before anything is computed.

    Of the first 10,000 records on contigs of the genome, no more than one in five may have another
    REF than the genome; what the header says of the genome (reference, lengths of contigs) is
    compared, too, and differences are warned of.

    Args:
        path: VCF or BCF file.
        genome: The genome.
        force: Whether to warn instead of to refuse.

    Raises:
        ValueError: If the file cannot be read, lies on none of the genome's contigs or, unless
            forced, seems to be made for another genome.
    """
    header = read_vcf_header(path)
    signs = list(_signs(header, genome))
    missing: dict[str, None] = {}
    n_checked = n_other = n_swapped = 0
    for record in iterate_vcf(path):
        contig = genome.contig_names.find(record.contig)
        if contig is None:
            missing[record.contig] = None
            continue
        found = _found(record, genome, contig)
        n_checked += 1
        if found is not None and found != record.ref:
            n_other += 1
            n_swapped += found in record.alts
        if n_checked == _CHECKED:
            break
    if missing and not n_checked:
        raise genome.contig_names.none_known(list(missing), str(path))
    share = n_other / max(n_checked, 1)
    text = (
        f"{path} must be made for this genome, found another REF than the genome's in {n_other} of "
        f"{n_checked} records{''.join(f'; {sign}' for sign in signs)}"
    )
    if n_swapped > n_other / 2 and n_other > 1:
        text += f"; in {n_swapped} of them the genome's base is an ALT: REF and ALT may be swapped"
    if share > _MOST_ERRORS and n_checked >= _ENOUGH and not force:
        raise ValueError(
            f"{text}; give the genome that it was made for (bcftools +fixref mends swapped "
            "alleles), or go on in spite of that (--force)"
        )
    if signs or (share > _MOST_ERRORS and n_other > 1):
        logger.warning("%s; was it made for another build?", text)


def _found(record: VcfRecord, genome: Genome, contig: str) -> str | None:
    """Read what the genome has in place of REF: "" beyond its end, None if REF is no bases."""
    if not _BASES.issuperset(record.ref) or record.start < 0:
        return None
    end = record.start + len(record.ref)
    return genome.sequence(contig, record.start, end) if end <= genome.length(contig) else ""


def _signs(header: Sequence[str], genome: Genome) -> Iterator[str]:
    """Say where the header of a VCF speaks of another genome."""
    named, found = named_build(header), genome.contig_names.find_build()
    if named and found and named != found:
        yield f"its header names {named} where the genome is {found}"
    other = []
    for name, length in (match.groups() for match in map(_CONTIG.match, header) if match):
        contig = genome.contig_names.find(name)
        if contig is not None and genome.length(contig) != int(length):
            other.append(f"{name} has {length} bases in its header, {genome.length(contig)} here")
    if other:
        more = f" and {len(other) - _SHOWN} more" if len(other) > _SHOWN else ""
        yield ", ".join(other[:_SHOWN]) + more
