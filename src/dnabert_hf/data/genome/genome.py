"""Genomes by name and coordinate: FASTA files, read once and memory-mapped from then on."""

import contextlib
import difflib
import errno
import hashlib
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from tqdm import tqdm

from dnabert_hf.data.genome.contig_names import ContigNames, read_aliases
from dnabert_hf.data.genome.store import (
    BASE_CODES,
    SOFT_MASKED,
    STORE_VERSION,
    Contig,
    check_store,
    read_store,
    write_store,
)
from dnabert_hf.data.reading.sequences import reverse_complement

__all__ = ["BASE_CODES", "Contig", "Genome", "open_genome"]

logger = logging.getLogger(__name__)

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_FACTOR = 5  # at most, for DNA: 3.3 for the human genome with lower case
_DAY = 24 * 3600  # seconds
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _decoding(letters: str, *, soft_masked: bool) -> bytes:
    lower = letters.lower() if soft_masked else letters
    table = bytearray(256)
    table[: len(letters)] = letters.encode()
    table[SOFT_MASKED : SOFT_MASKED + len(letters)] = lower.encode()
    return bytes(table)


_LETTERS = "".join(BASE_CODES)
_COMPLEMENTS = reverse_complement(_LETTERS)[::-1]
# By strand and soft_masked.
_DECODINGS = {
    (strand, soft_masked): _decoding(letters, soft_masked=soft_masked)
    for strand, letters in {"+": _LETTERS, "-": _COMPLEMENTS}.items()
    for soft_masked in (False, True)
}


class Genome:
    """A genome, read-only and memory-mapped; `open_genome` makes one.

    A base takes one byte, not two bits: N, the other IUPAC letters and the soft mask have their
    place beside A, C, G and T, and digits are read straight from the map, without unpacking. A
    pickle holds only the path of the folder, so that a genome goes to worker processes for free.

    Args:
        folder: Folder of the store.
        aliases: Other names of its contigs, as `read_aliases` gives them.

    Attributes:
        folder: Folder of the store.
        contig_names: Finds contigs by any of their names.
        contigs: Names, lengths (bases) and files of the sequences, in the order of the files.
        codes: All contigs one after another, shape (bases,), uint8. The lower seven bits are 0 to 3
            for A, T, C, G and 4 or more for other letters, see `BASE_CODES`; the highest bit is set
            where the letter is lower case (soft-masked).
        offsets: Shape (contigs + 1,), int64: contig i is `codes[offsets[i]:offsets[i + 1]]`.
        runs: Longest intervals of A, C, G and T alone, in order, shape (runs, 3),
            int64: index of the contig, start and end within it (0-based, half-open).
        fingerprint: Checksum of names and sequences; paths and times do not matter.
        n_other: Number of letters other than A, C, G, T (U counts as T).

    Raises:
        ValueError: If the store is incomplete.
    """

    def __init__(self, folder: Path, aliases: Mapping[str, frozenset[str]] | None = None) -> None:
        self.folder = folder
        self._aliases = aliases
        self.contigs, self.codes, self.runs, self.fingerprint = read_store(folder)
        lengths = [contig.length for contig in self.contigs]
        self.offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        self.n_other = len(self.codes) - int((self.runs[:, 2] - self.runs[:, 1]).sum())
        # A view by Python's own means: slicing an array costs several times as much.
        self._bytes = self.codes.data
        begins = self.offsets.tolist()
        self._extents = {
            contig.name: (begin, contig.length)
            for contig, begin in zip(self.contigs, begins[:-1], strict=True)
        }
        self.contig_names = ContigNames(
            {contig.name: contig.length for contig in self.contigs}, aliases
        )
        self._indices = {contig.name: index for index, contig in enumerate(self.contigs)}

    def __reduce__(self) -> tuple[Any, ...]:
        return Genome, (self.folder, self._aliases)

    def __repr__(self) -> str:
        return f"Genome({len(self.contigs)} contigs, {len(self.codes)} bases, {str(self.folder)!r})"

    def index(self, contig: str) -> int:
        """Find the number of a contig, in the order of `contigs`.

        Raises:
            KeyError: If there is no such contig.
        """
        return self._indices[contig]

    def length(self, contig: str) -> int:
        """Find the length of a contig, in bases.

        Raises:
            KeyError: If there is no such contig.
        """
        return self._extents[contig][1]

    def sequence(
        self, contig: str, start: int, end: int, strand: str = "+", *, soft_masked: bool = False
    ) -> str:
        """Read the sequence of an interval.

        Args:
            contig: Name of the contig.
            start: First base (0-based).
            end: Base after the last one, at most the length of the contig.
            strand: "+", or "-" for the reverse complement of the interval.
            soft_masked: Whether lower case stays lower case.

        Returns:
            DNA with IUPAC letters, in upper case by default, T for U.

        Raises:
            ValueError: If there is no such contig or strand, or the interval is not within the
                contig.
        """
        begin, length = self._extents.get(contig, (0, -1))
        if not 0 <= start <= end <= length:
            self._raise_for_interval(contig, start, end)
        decoding = _DECODINGS.get((strand, soft_masked))
        if decoding is None:
            raise ValueError(f"strand must be '+' or '-', got {strand!r}; give one of the two")
        letters = self._bytes[begin + start : begin + end].tobytes().translate(decoding)
        return (letters[::-1] if strand == "-" else letters).decode("ascii")

    def _raise_for_interval(self, contig: str, start: int, end: int) -> NoReturn:
        if contig in self._extents:
            length = self._extents[contig][1]
            raise ValueError(
                f"an interval of {contig} must have 0 <= start <= end <= {length}, the length of "
                f"the contig (0-based, half-open), got {start} to {end}; correct it"
            )
        same = self.contig_names.find(contig)  # 20 is chr20, which few letters show
        close = [same] if same else difflib.get_close_matches(contig, self._extents)
        names = close or list(self._extents)[:3]
        raise ValueError(
            f"a contig must be one of the {len(self.contigs)} of the genome, found {contig!r}; "
            f"did you mean {' or '.join(map(repr, names))}?"
        )

    def verify(self) -> None:
        """Read all of the store and compare it with its checksum.

        Raises:
            ValueError: If they differ; the message names the folder to delete.
        """
        check_store(self.folder, self.runs, self.contigs, fingerprint=self.fingerprint)


def open_genome(
    sources: str | Path | Sequence[str | Path],
    *,
    cache_dir: Path | None = None,
    aliases: str | Path | None = None,
) -> Genome:
    """Open a genome; the first time, its files are read into a store that is kept.

    The store takes one byte a base in a folder of its own in `genomes` of the cache. Paths, sizes,
    inodes and times of the files decide which folder that is: a changed file gets a new one, and
    the old one stays. Any folder in there may be deleted when no process uses it; it is built again
    when needed. Half-built ones have "building" in their name, and go when another store is built a
    day later. Processes that build the same store at the same time do not disturb each other.

    Args:
        sources: FASTA files, plain, gzip or bgzip, in any case, with IUPAC letters.
        cache_dir: Folder of the cache; by default the environment variable DNABERT_HF_CACHE, else
            dnabert_hf in XDG_CACHE_HOME or ~/.cache.
        aliases: Table of other names of its contigs (see `read_aliases`).

    Returns:
        The genome, with the contigs of all files.

    Raises:
        ValueError: If a file is missing, damaged or no FASTA, changes meanwhile, holds a contig
            without name or sequence or a letter that is no nucleotide code, if two contigs have one
            name, if there is no A, C, G or T at all, or if the disk has no room for the store.
    """
    sources = [sources] if isinstance(sources, str | Path) else sources
    paths = [Path(source).absolute() for source in sources]
    if not paths:
        raise ValueError("a genome must have at least one FASTA file, got none; name one")
    key = _key(paths)
    names = None if aliases is None else read_aliases(aliases)
    store = (cache_dir or _default_cache()).absolute() / "genomes" / key
    if store.exists():
        return Genome(store, names)
    begin = time.monotonic()
    _build(paths, store, key)
    genome = Genome(store, names)
    logger.info(
        "%s built in %.1f s: %d contigs, %d bases, %d letters other than A, C, G, T",
        store,
        time.monotonic() - begin,
        len(genome.contigs),
        len(genome.codes),
        genome.n_other,
    )
    return genome


def _default_cache() -> Path:
    if named := os.environ.get("DNABERT_HF_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dnabert_hf"


def _key(paths: Sequence[Path]) -> str:
    """Name the state of the files: the same key, the same content."""
    states: list[object] = [STORE_VERSION]
    for path in paths:
        if not path.is_file():
            found = "a folder" if path.is_dir() else "no such file"
            raise ValueError(f"{path} must be a FASTA file, found {found}; check the path")
        state = path.stat()
        # The inode and the time of its change tell what archives and `touch -r` hide: a file of
        # the same size and modification time in the place of another.
        times = [state.st_mtime_ns, state.st_ctime_ns]
        states.append([str(path.resolve()), state.st_size, state.st_ino, *times])
    return hashlib.sha256(json.dumps(states).encode()).hexdigest()[:16]


def _build(paths: Sequence[Path], store: Path, key: str) -> None:
    """Write the store beside its path and move it there when it is whole."""
    folder = store.with_name(f"{key}.building-{uuid.uuid4().hex[:8]}")
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ValueError(
            f"the folder of the genome store must be one that can be written to, found "
            f"{error.strerror} at {error.filename}; set DNABERT_HF_CACHE to another folder"
        ) from error
    _remove_half_built(store.parent)
    needed = sum(path.stat().st_size * (_GZIP_FACTOR if _is_gzip(path) else 1) for path in paths)
    try:
        if shutil.disk_usage(folder).free < needed:
            _raise_for_space(folder, needed, "only")
        _write(paths, folder)
        if _key(paths) != key:
            raise ValueError(
                f"the files of a genome must not change while they are read, found that one of "
                f"{', '.join(map(str, paths))} did; open the genome again when they are whole"
            )
        _move(folder, store)
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        # Text that repeats itself is compressed more than is guessed here.
        written = sum(file.stat().st_size for file in folder.iterdir())
        _raise_for_space(folder, max(needed, written), f"{error.strerror!r} with")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_half_built(folder: Path) -> None:
    """Remove what killed processes left a day ago or earlier; those that live write on."""
    for building in folder.glob("*.building-*"):
        with contextlib.suppress(OSError):  # another process may be first
            last = max(path.stat().st_mtime for path in (building, *building.iterdir()))
            if time.time() - last > _DAY:
                shutil.rmtree(building)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == _GZIP_MAGIC


def _write(paths: Sequence[Path], folder: Path) -> None:
    """Write the store with a progress bar."""
    # What gzip will give is not known: then the bar counts without an end.
    total = None if any(map(_is_gzip, paths)) else sum(path.stat().st_size for path in paths)
    with tqdm(
        desc="reading the genome", total=total, unit="B", unit_scale=True, disable=None
    ) as bar:
        write_store(paths, folder, report=bar.update)


def _raise_for_space(folder: Path, needed: int, found: str) -> NoReturn:
    free = shutil.disk_usage(folder).free
    raise ValueError(
        f"the disk of {folder.parent} must have room for the genome store, about "
        f"{_in_words(needed)}, found {found} {_in_words(free)} free; make room or set "
        "DNABERT_HF_CACHE to a folder on another disk"
    )


def _in_words(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _move(folder: Path, store: Path) -> None:
    try:
        folder.rename(store)
    except OSError:
        # Another process was first with the same content: its store serves both.
        if not store.exists():
            raise
