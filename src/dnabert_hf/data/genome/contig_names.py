"""Names of contigs: one chromosome is chr1, 1, Chr1, NC_000001.11 and CM000663.2."""

import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from dnabert_hf.data.reading.lines import text_lines

__all__ = ["ContigNames", "bare_name", "match_contigs", "read_aliases"]

logger = logging.getLogger(__name__)

_SHOWN = 5  # contigs named in a message
_LISTED = 100  # of those that are missing, which a user must see to trust what is left
_PREFIX = re.compile(r"chr(omosome)?[ _-]?(?=.)", re.IGNORECASE)
_MITOCHONDRION = ("m", "mt", "mito", "mitochondrion")
# What the last column of UCSC's older alias tables says: who calls a contig so.
_WHO = {
    "ucsc",
    "ensembl",
    "refseq",
    "genbank",
    "ncbi",
    "assembly",
    "gencode",
    "flybase",
    "wormbase",
}
# The molecules of GRCh37 and GRCh38 (NCBI's reports of GCF_000001405.25 and .40): version of
# RefSeq's accession and length in GRCh37, and length in GRCh38, where the version is one higher.
# Compared with copies of these reports and of the FASTA's lengths in other projects, all 98 names.
_HUMAN = {
    "1": (10, 249250621, 248956422),
    "2": (11, 243199373, 242193529),
    "3": (11, 198022430, 198295559),
    "4": (11, 191154276, 190214555),
    "5": (9, 180915260, 181538259),
    "6": (11, 171115067, 170805979),
    "7": (13, 159138663, 159345973),
    "8": (10, 146364022, 145138636),
    "9": (11, 141213431, 138394717),
    "10": (10, 135534747, 133797422),
    "11": (9, 135006516, 135086622),
    "12": (11, 133851895, 133275309),
    "13": (10, 115169878, 114364328),
    "14": (8, 107349540, 107043718),
    "15": (9, 102531392, 101991189),
    "16": (9, 90354753, 90338345),
    "17": (10, 81195210, 83257441),
    "18": (9, 78077248, 80373285),
    "19": (9, 59128983, 58617616),
    "20": (10, 63025520, 64444167),
    "21": (8, 48129895, 46709983),
    "22": (10, 51304566, 50818468),
    "X": (10, 155270560, 156040895),
    "Y": (9, 59373566, 57227415),
}
_MT_LENGTH = 16569


def _accessions() -> dict[str, tuple[str, int]]:
    """Give chromosome and length by accession of RefSeq and GenBank."""
    found = dict.fromkeys(("NC_012920.1", "J01415.2"), ("MT", _MT_LENGTH))
    for number, (chromosome, (version, *lengths)) in enumerate(_HUMAN.items(), start=1):
        for later, length in enumerate(lengths):
            found[f"NC_{number:06}.{version + later}"] = chromosome, length
            found[f"CM{662 + number:06}.{1 + later}"] = chromosome, length
    return found


_ACCESSIONS = _accessions()


def bare_name(name: str) -> str:
    """Reduce the name of a contig to what its other names share.

    Example:
        >>> bare_name("chrX"), bare_name("Chr1"), bare_name("chrM"), bare_name("NC_000001.11")
        ('x', '1', 'mt', '1')
    """
    name = _ACCESSIONS[name][0] if name in _ACCESSIONS else name
    bare = _PREFIX.sub("", name, count=1).lower()
    return "mt" if bare in _MITOCHONDRION else bare


class ContigNames:
    """The contigs of a genome, found by any of their names.

    The same name comes first, then what a table of aliases says, then the usual habits: with "chr",
    "Chr", "CHR" or without, M or MT, and the accessions of RefSeq and GenBank for the 25 molecules
    of GRCh37 and GRCh38. An accession is not taken for a contig that has the length of the other
    build.

    Args:
        known: Contigs of the genome, or their lengths by name.
        aliases: Sets of names of one contig, by each of these names, as `read_aliases` gives them.

    Example:
        >>> ContigNames(["1", "MT"]).find("chrM")
        'MT'
    """

    def __init__(
        self, known: Collection[str], aliases: Mapping[str, frozenset[str]] | None = None
    ) -> None:
        self._known = known
        self._lengths: Mapping[str, int] = known if isinstance(known, Mapping) else {}
        self._aliases = aliases or {}
        self._by_bare: dict[str, list[str]] = {}
        for name in known:
            self._by_bare.setdefault(bare_name(name), []).append(name)

    def find(self, name: str) -> str | None:
        """Give the genome's name of a contig, None if it has none.

        Raises:
            ValueError: If it may be several contigs of the genome.
        """
        if name in self._known:
            return name
        meant = self._aliases.get(name, frozenset())
        if same := sorted(other for other in meant if other in self._known):
            return self._only(name, same)
        for other in (name, *sorted(meant)):
            candidates = self._by_bare.get(bare_name(other), [])
            # A genome may have both chrM and chrMT, of which one has the very same letters.
            letters = _PREFIX.sub("", other, count=1).lower()
            closest = [c for c in candidates if _PREFIX.sub("", c, count=1).lower() == letters]
            candidates = [c for c in closest or candidates if not self._is_of_other_build(other, c)]
            if candidates:
                return self._only(name, candidates)
        return None

    def find_build(self) -> str | None:
        """Tell GRCh37 from GRCh38 by the lengths of the chromosomes; None if it is neither."""
        for name, length in self._lengths.items():
            lengths = _HUMAN.get(bare_name(name).upper(), ())[1:]
            if length in lengths:
                return ("GRCh37", "GRCh38")[lengths.index(length)]
        return None

    def _only(self, name: str, candidates: Sequence[str]) -> str:
        if len(candidates) > 1:
            raise ValueError(
                f"contig {name} must be one of the genome's, found that it may be "
                f"{' or '.join(candidates)}; say which in a table of aliases (--aliases)"
            )
        return candidates[0]

    def _is_of_other_build(self, name: str, contig: str) -> bool:
        if name not in _ACCESSIONS or contig not in self._lengths:
            return False
        chromosome, length = _ACCESSIONS[name]
        builds = _HUMAN.get(chromosome, (0, _MT_LENGTH, 16571))[1:]  # hg19's own chrM is longer
        return self._lengths[contig] in builds and self._lengths[contig] != length

    def match(self, names: Iterable[str], *, source: str) -> dict[str, str]:
        """Find the contigs of the genome that another file means.

        What was translated and what is not there is said in warnings.

        Args:
            names: Contigs of the other file.
            source: Name of the other file, for the messages.

        Returns:
            Name in the genome by name in the file, for those that the genome has.

        Raises:
            ValueError: If the genome has none of them.
        """
        names = list(dict.fromkeys(names))
        found = {name: other for name in names if (other := self.find(name)) is not None}
        missing = [name for name in names if name not in found]
        if not found:
            raise self.none_known(missing, source)
        self.report(found, missing, source=source)
        return found

    def none_known(self, missing: Sequence[str], source: str) -> ValueError:
        """Make the error that says that none of a file's contigs are the genome's."""
        return ValueError(
            f"{source} must lie on contigs of the genome, found {_shown(missing)}, where the "
            f"genome has {_shown(sorted(self._known))}; give the genome that the file was made "
            "for, or a table of other names (--aliases)"
        )

    def report(self, found: Mapping[str, str], missing: Sequence[str], *, source: str) -> None:
        """Say in warnings which contigs were translated, and which are not in the genome.

        Args:
            found: Name in the genome by name in the file.
            missing: Names in the file that the genome lacks.
            source: Name of the file.
        """
        translated = [f"{name} = {other}" for name, other in found.items() if name != other]
        if translated:
            logger.warning(
                "contigs of %s have other names in the genome; taken as the same: %s",
                source,
                _shown(translated),
            )
        if missing:
            logger.warning(
                "%s: %d contigs are not in the genome, and what lies on them is left out: %s",
                source,
                len(missing),
                _shown(missing, _LISTED),
            )


def match_contigs(names: Collection[str], known: Collection[str], *, source: str) -> dict[str, str]:
    """Find the contigs of a genome that another file means, as `ContigNames.match` does.

    Args:
        names: Contigs of the other file.
        known: Contigs of the genome, or their lengths by name.
        source: Name of the other file, for the messages.

    Returns:
        Name in the genome by name in the file, for those that the genome has.

    Raises:
        ValueError: If the genome has none of them.

    Example:
        >>> match_contigs(["chr1"], ["chr1", "chr2"], source="peaks.bed")
        {'chr1': 'chr1'}
    """
    return ContigNames(known).match(names, source=source)


def read_aliases(path: str | Path) -> dict[str, frozenset[str]]:
    """Read a table of the names of contigs, as UCSC's chromAlias.txt.

    Args:
        path: Text divided by tabs, plain or gzip: the names of one contig a line, in any order;
            empty cells, lines that begin with "#", and a last cell that says who calls it so
            ("ensembl", "refseq,genbank") do not count.

    Returns:
        All names of a contig, by each of them.

    Raises:
        ValueError: If the file cannot be read, or a line has fewer than two names.
    """
    groups: dict[str, set[str]] = {}
    for number, line in text_lines(path):
        if line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        names = {cell for cell in cells if cell and not set(cell.lower().split(",")) <= _WHO}
        if len(names) < 2 and len(cells) < 2:
            raise ValueError(
                f"{path}, line {number}: a line must have names of one contig, divided by tabs, "
                f"found {line[:60]!r}; correct it"
            )
        # In UCSC's older tables a contig has a line for each of its other names.
        merged = names.union(*(groups.get(name, ()) for name in names))
        groups.update(dict.fromkeys(merged, merged))
    return {name: frozenset(group) for name, group in groups.items()}


def _shown(names: Sequence[str], at_most: int = _SHOWN) -> str:
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more
