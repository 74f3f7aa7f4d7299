"""Variant databases: ClinVar, the GWAS Catalog and GRASP, by rs number and by position."""

import logging
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dnabert_hf.data.genome.contig_names import bare_name
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.reading.streams import open_uncompressed
from dnabert_hf.data.variants.alleles import Allele, normalize_allele
from dnabert_hf.data.variants.build_check import BUILDS, named_build
from dnabert_hf.data.variants.vcf import VcfRecord, alleles_of, iterate_vcf, read_vcf_header

__all__ = ["CATALOGS", "Finding", "KnownVariants", "find_build"]

logger = logging.getLogger(__name__)

_RS = re.compile(r"rs\d+")
# As in the headers of the published files; letters' case differs between releases.
_GWAS_COLUMNS = ("SNPS", "CHR_ID", "CHR_POS", "DISEASE/TRAIT", "P-VALUE", "PUBMEDID")
_GRASP_COLUMNS = ("SNPID(DBSNP134)", "CHR(HG19)", "POS(HG19)", "PHENOTYPE", "PVALUE", "PMID")
_HUMAN = {"23": "x", "24": "y", "25": "mt"}
_BASES = frozenset("ACGT")


class Finding(NamedTuple):
    """An entry of a catalogue that a variant has.

    Attributes:
        match: "allele", "position" or "rs number".
        text: Clinical significance and condition, or trait.
        p_value: P-value as the catalogue writes it; "" in ClinVar.
        reference: Variation ID of ClinVar, or PubMed ID.
    """

    match: str
    text: str
    p_value: str
    reference: str


class _Entry(NamedTuple):
    rs_numbers: Sequence[str]
    positions: Sequence[tuple[str, int]]  # bare contig, position (1-based), if no alleles are told
    alleles: Sequence[Allele]
    finding: tuple[str, str, str]


def find_build(name: str | None) -> str | None:
    """Give the one name of a human genome build.

    Args:
        name: GRCh37, hg19, GRCh38, hg38 or None.

    Raises:
        ValueError: If it is another.

    Example:
        >>> find_build("hg19")
        'GRCh37'
    """
    if name is None:
        return None
    if name not in BUILDS:
        raise ValueError(f"a build must be one of {', '.join(BUILDS)}, got {name!r}")
    return BUILDS[name]


class KnownVariants:
    """Looks variants up in a catalogue, which is read once, line by line.

    An rs number holds in any build. Positions are compared only where the build of the genome is
    named and is that of the catalogue: GRCh38 for the GWAS Catalog, GRCh37 for GRASP, and what the
    header of ClinVar's VCF says. Alleles of both sides are compared in their normal form (see
    `normalize_allele`). An insertion or deletion has two positions, that of the base before it, as
    in VCF, and that of the first base that changes, as dbSNP counts.

    Args:
        alleles: The variants.
        names: The ID of each in its VCF, "" if it has none.
        build: Build of the genome, None if it is not known.
        genome: The genome; without one, insertions and deletions are not shifted to the left.
    """

    def __init__(
        self,
        alleles: Sequence[Allele],
        names: Sequence[str],
        build: str | None = None,
        *,
        genome: Genome | None = None,
    ):
        self._genome = genome
        self._alleles = [self._normal(allele) for allele in alleles]
        self._build = build
        self._by_rs: dict[str, list[int]] = defaultdict(list)
        self._by_position: dict[tuple[str, int], list[int]] = defaultdict(list)
        for row, (allele, name) in enumerate(zip(self._alleles, names, strict=True)):
            for number in _RS.findall(name):
                self._by_rs[number].append(row)
            contig, is_indel = _contig(allele.contig), len(allele.ref) != len(allele.alt)
            for position in range(allele.start + 1, allele.start + 2 + is_indel):
                self._by_position[contig, position].append(row)

    def _normal(self, allele: Allele) -> Allele:
        """Bring an allele into its normal form, as far as the genome has its reference."""
        if not (allele.ref and _BASES.issuperset(allele.ref + allele.alt)):
            return allele
        genome, contig = self._genome, None
        if genome is not None and len(allele.ref) != len(allele.alt):
            contig = genome.contig_names.find(allele.contig)
        is_known = (
            genome is not None
            and contig is not None
            and allele.start >= 0
            and allele.end <= genome.length(contig)
            and genome.sequence(contig, allele.start, allele.end) == allele.ref
        )
        return normalize_allele(allele, genome if is_known else None, contig or allele.contig)

    def look_up(self, catalog: str, path: str | Path) -> list[list[Finding]]:
        """Find the entries of each variant, in the order of the file.

        Args:
            catalog: "clinvar", "gwas" or "grasp".
            path: The file, plain or gzip: ClinVar's VCF, the table of associations of the GWAS
                Catalog, or GRASP's full data set.

        Raises:
            ValueError: If the file is not such a one.
        """
        build, entries = CATALOGS[catalog](Path(path))
        if self._build is None:
            logger.warning(
                "%s: looked up by rs number alone; name the build of the genome to compare "
                "positions, too (--build)",
                path,
            )
        elif build != self._build:
            logger.warning(
                "%s: looked up by rs number alone, for its positions are of %s, the genome's of %s",
                *(path, build or "an unknown build", self._build),
            )
        has_positions = self._build is not None and build == self._build
        found: list[list[Finding]] = [[] for _ in self._alleles]
        for entry in entries:
            for row, match in self._matches(entry, has_positions=has_positions).items():
                found[row].append(Finding(match, *entry.finding))
        return found

    def _matches(self, entry: _Entry, *, has_positions: bool) -> dict[int, str]:
        rows = {row: "rs number" for rs in entry.rs_numbers for row in self._by_rs.get(rs, ())}
        if not has_positions:
            return rows
        for row in (row for each in entry.positions for row in self._by_position.get(each, ())):
            rows[row] = "position"
        for allele in map(self._normal, entry.alleles):
            for row in self._by_position.get((_contig(allele.contig), allele.start + 1), ()):
                own = self._alleles[row]
                if own[1:] == allele[1:]:
                    rows[row] = "allele"
                elif own.start == allele.start and rows.get(row) != "allele":
                    rows[row] = "position"
        return rows


def _read_clinvar(path: Path) -> tuple[str | None, Iterator[_Entry]]:
    header = read_vcf_header(path)
    if not any(line.startswith("##INFO=<ID=CLNSIG,") for line in header):
        raise ValueError(
            f"{path} must be the VCF of ClinVar, with CLNSIG among its INFO fields, found none; "
            "download clinvar.vcf.gz"
        )
    return named_build(header), map(_clinvar_entry, iterate_vcf(path))


def _clinvar_entry(record: VcfRecord) -> _Entry:
    info = dict(item.partition("=")[::2] for item in record.line.split("\t", 8)[7].split(";"))
    texts = [info.get(key, "").replace("_", " ") for key in ("CLNSIG", "CLNDN")]
    return _Entry(
        [f"rs{number}" for number in re.findall(r"\d+", info.get("RS", ""))],
        (),
        alleles_of(record),
        (": ".join(filter(None, texts)), "", record.name),
    )


def _read_gwas(path: Path) -> tuple[str, Iterator[_Entry]]:
    return "GRCh38", map(_gwas_entry, _rows(path, _GWAS_COLUMNS, "the GWAS Catalog"))


def _gwas_entry(cells: Mapping[str, str]) -> _Entry:
    # An association of several variants: "rs1; rs2" or "rs1 x rs2", at "1;2" or "1 x 2".
    contigs = re.split(r"\s*[;x]\s*", cells["CHR_ID"])
    positions = re.split(r"\s*[;x]\s*", cells["CHR_POS"])
    known = [(_contig(c), int(p)) for c, p in zip(contigs, positions) if p.isdecimal()]  # noqa: B905
    finding = (cells["DISEASE/TRAIT"], cells["P-VALUE"], cells["PUBMEDID"])
    return _Entry(_RS.findall(cells["SNPS"]), known, (), finding)


def _read_grasp(path: Path) -> tuple[str, Iterator[_Entry]]:
    return "GRCh37", map(_grasp_entry, _rows(path, _GRASP_COLUMNS, "GRASP"))


def _grasp_entry(cells: Mapping[str, str]) -> _Entry:
    number, position = cells["SNPID(DBSNP134)"].removeprefix("rs"), cells["POS(HG19)"]
    known = [(_contig(cells["CHR(HG19)"]), int(position))] if position.isdecimal() else []
    finding = (cells["PHENOTYPE"], cells["PVALUE"], cells["PMID"])
    return _Entry([f"rs{number}"] if number.isdecimal() else [], known, (), finding)


CATALOGS: dict[str, Callable[[Path], tuple[str | None, Iterator[_Entry]]]] = {
    "clinvar": _read_clinvar,
    "gwas": _read_gwas,
    "grasp": _read_grasp,
}


def _rows(path: Path, columns: Sequence[str], catalog: str) -> Iterator[dict[str, str]]:
    """Check the header of a table, then give the cells of its lines."""
    if not path.is_file():
        raise ValueError(f"{path} must be a file, found none; check the path")
    try:
        with open_uncompressed(path, str(path)) as (_, stream):
            names = _decode(stream.readline()).upper().split("\t")
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"{path} must be readable, found damage ({error}); copy or download it again"
        ) from error
    missing = [column for column in columns if column not in names]
    if missing:
        raise ValueError(
            f"{path} must be the table of {catalog}, tab-separated with the columns "
            f"{', '.join(columns)}, found no {', '.join(missing)}; download it again"
        )
    return _cells(path, [names.index(column) for column in columns], columns)


def _cells(path: Path, indices: Iterable[int], columns: Sequence[str]) -> Iterator[dict[str, str]]:
    indices = list(indices)
    number = 1
    try:
        with open_uncompressed(path, str(path)) as (_, stream):
            stream.readline()
            for number, line in enumerate(stream, start=2):
                cells = _decode(line).split("\t")
                if not line.strip():
                    continue
                if len(cells) <= max(indices):
                    raise ValueError(
                        f"{path}, line {number}: a line must have {max(indices) + 1} tab-separated "
                        f"columns or more, found {len(cells)}; download the file again"
                    )
                yield {c: cells[p].strip() for c, p in zip(columns, indices, strict=True)}
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"{path}, near line {number}: the file must be readable, found damage ({error}); copy "
            "or download it again"
        ) from error


def _decode(line: bytes) -> str:
    # GRASP's file is Latin-1, the GWAS Catalog's UTF-8.
    line = line.rstrip(b"\r\n")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _contig(name: str) -> str:
    name = bare_name(name)
    return _HUMAN.get(name, name)
