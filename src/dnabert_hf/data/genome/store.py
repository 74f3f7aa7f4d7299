"""A genome on disk: one byte a base, written in one pass over its FASTA files."""

import hashlib
import json
import os
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dnabert_hf.data.reading.fasta import read_fasta_pieces
from dnabert_hf.data.reading.sequences import begins_as_kmers, clean_letters

__all__ = [
    "BASE_CODES",
    "SOFT_MASKED",
    "STORE_VERSION",
    "Contig",
    "check_store",
    "read_store",
    "write_store",
]

# A, T, C, G have the digits of the vocabulary: the ids of k-mers come from codes directly.
BASE_CODES = {letter: code for code, letter in enumerate("ATCGNRYSWKMBDHV")}
SOFT_MASKED = 0x80  # added to the code of a lower-case letter
STORE_VERSION = 2  # of the files below; part of the name of a store's folder

_CODES_FILE, _RUNS_FILE, _CONTIGS_FILE = "codes.bin", "runs.npy", "contigs.json"
_BLOCK_SIZE = 1 << 20  # bytes
_BEGINNING = 1 << 10  # bytes that tell k-mer text
_WHITE_SPACE = b" \t\n\r\v\f"
_INVALID = b"\xff"


def _translation() -> bytes:
    table = bytearray(_INVALID * 256)
    for letter, code in {**BASE_CODES, "U": BASE_CODES["T"]}.items():
        table[ord(letter)] = code
        table[ord(letter.lower())] = code | SOFT_MASKED
    return bytes(table)


_CODE_OF_LETTER = _translation()


@dataclass(frozen=True)
class Contig:
    """A sequence of a genome.

    Attributes:
        name: First word of its header.
        length: Length in bases.
        file: FASTA file that it came from.
    """

    name: str
    length: int
    file: str


def write_store(sources: Sequence[Path], folder: Path, *, report: Callable[[int], object]) -> None:
    """Write the store of a genome; memory does not grow with the genome.

    Args:
        sources: FASTA files, plain, gzip or bgzip.
        folder: Empty folder to write to.
        report: Called with the number of bytes read, uncompressed, after each block.

    Raises:
        ValueError: If a file is damaged or no FASTA, a contig has no name, no sequence or the name
            of another one, a letter is no nucleotide code, or there is no A, C, G or T at all.
    """
    with (folder / _CODES_FILE).open("wb") as stream:
        writer = _Writer(stream)
        for source in sources:
            n_records = 0
            for header, letters in read_fasta_pieces(source, report=report):
                if header is not None:
                    writer.begin(header, str(source), n_records)
                    n_records += 1
                writer.extend(letters)
            writer.finish()
        stream.flush()
        os.fsync(stream.fileno())
    runs = writer.runs()
    if not len(runs):
        raise ValueError(
            f"a genome must hold some A, C, G or T, found only other letters in "
            f"{', '.join(map(str, sources))}; give the sequence instead of its mask"
        )
    np.save(folder / _RUNS_FILE, runs)
    description = {
        "version": STORE_VERSION,
        "codes_time": (folder / _CODES_FILE).stat().st_mtime_ns,
        "index": _fingerprint(hashlib.sha256(), runs, writer.contigs),
        "fingerprint": _fingerprint(writer.digest, runs, writer.contigs),
        "contigs": [[contig.name, contig.length, contig.file] for contig in writer.contigs],
    }
    (folder / _CONTIGS_FILE).write_text(json.dumps(description), encoding="utf-8")


class _Writer:
    """Turns letters into codes and keeps the book of contigs and runs."""

    def __init__(self, stream: BinaryIO) -> None:
        self.digest: Any = hashlib.sha256()
        self.contigs: list[Contig] = []
        self._stream = stream
        self._sources: dict[str, str] = {}
        self._name: str | None = None
        # Where runs of A, C, G, T begin and end, alternately, and how many of these a contig has.
        # One growing buffer: small arrays kept between the large ones of the blocks fragment the
        # memory (+84 MB at 1,000 Mb).
        self._bounds = array("q")
        self._n_bounds: list[int] = []

    def begin(self, header: bytes, file: str, number: int) -> None:
        """Begin a contig, given its header line without ">" and its number within the file."""
        self.finish()
        source = f"{file}, record {number} (0-based)"
        name = _first_word(header, source)
        if name in self._sources:
            raise ValueError(
                f"{source}: contigs must have names of their own, found {name!r} again after "
                f"{self._sources[name]}; rename one of them or leave one out"
            )
        self._sources[name] = source
        self._name, self._file, self._length = name, file, 0
        self._n_bounds.append(0)
        self._in_run = False

    def extend(self, letters: bytes) -> None:
        """Add letters, white space included, to the contig."""
        codes = letters.translate(_CODE_OF_LETTER, _WHITE_SPACE)
        if not codes:
            return
        if _INVALID in codes:  # clean_letters raises, saying which letter it is
            clean_letters(letters, source=f"{self._file}, record {self._name}", start=self._length)
        if not self._length and begins_as_kmers(letters[:_BEGINNING]):
            self._refuse_kmers(letters[:_BEGINNING])
        is_base = (np.frombuffer(codes, dtype=np.uint8) & ~np.uint8(SOFT_MASKED)) < 4
        if is_base[0] != self._in_run:
            self._add_bounds(np.array([self._length]))
        self._add_bounds(np.flatnonzero(is_base[1:] != is_base[:-1]) + (self._length + 1))
        self._in_run = bool(is_base[-1])
        self._length += len(codes)
        self._stream.write(codes)
        self.digest.update(codes)

    def _refuse_kmers(self, letters: bytes) -> None:
        """Raise an error if a contig begins with k-mers: it would become k times too long."""
        if len(letters) == _BEGINNING:  # the last word may go on
            letters = letters[: letters.rindex(letters.split()[-1])]
        if len(set(letters.split())) < 2:  # lines of N
            return
        source = f"{self._file}, record {self._name}"
        if len(clean_letters(letters, source=source)) < len(letters.translate(None, _WHITE_SPACE)):
            raise ValueError(
                f"{source}: a genome must be DNA, found overlapping k-mers "
                f"({letters.decode()[:20].strip()}...); write the sequence they were cut from"
            )

    def finish(self) -> None:
        """End the contig, if one has begun."""
        if self._name is None:
            return
        if not self._length:
            raise ValueError(
                f"{self._file}, record {self._name} has a header but no sequence; add the sequence "
                "or remove the header"
            )
        if self._in_run:
            self._add_bounds(np.array([self._length]))
        self.contigs.append(Contig(self._name, self._length, self._file))
        self._name = None

    def runs(self) -> np.ndarray:
        """Give the runs of all contigs, shape (runs, 3): index of the contig, start, end."""
        contigs = np.repeat(np.arange(len(self.contigs)), np.array(self._n_bounds) // 2)
        bounds = np.frombuffer(self._bounds, dtype=np.int64).reshape(-1, 2)
        return np.column_stack([contigs, bounds]).astype(np.int64, copy=False)

    def _add_bounds(self, bounds: np.ndarray) -> None:
        self._bounds.frombytes(bounds.astype(np.int64, copy=False).tobytes())
        self._n_bounds[-1] += len(bounds)


def _first_word(header: bytes, source: str) -> str:
    try:
        (name,) = header.decode("utf-8").split(maxsplit=1)[:1]
    except ValueError as error:  # UnicodeDecodeError is one
        raise ValueError(
            f"{source}: the header of a contig must begin with its name, in UTF-8, found "
            f"{header[:20]!r}; write one after '>'"
        ) from error
    return name


def _fingerprint(codes_digest: Any, runs: np.ndarray, contigs: Sequence[Contig]) -> str:
    digest = codes_digest.copy()
    digest.update(np.ascontiguousarray(runs, dtype="<i8").tobytes())
    digest.update(json.dumps([[contig.name, contig.length] for contig in contigs]).encode())
    return str(digest.hexdigest())[:32]


def read_store(folder: Path) -> tuple[tuple[Contig, ...], np.memmap, np.ndarray, str]:
    """Open a store; the codes are read and compared if somebody wrote to them meanwhile.

    Args:
        folder: Folder that `write_store` wrote to.

    Returns:
        The contigs, the codes (shape (bases,), memory-mapped), the runs (shape (runs, 3)) and the
        fingerprint.

    Raises:
        ValueError: If a file is missing or not as it was written.
    """
    try:
        description = json.loads((folder / _CONTIGS_FILE).read_text(encoding="utf-8"))
        contigs = tuple(Contig(*fields) for fields in description["contigs"])
        runs = np.load(folder / _RUNS_FILE)
        codes = np.memmap(folder / _CODES_FILE, dtype=np.uint8, mode="r")
        fingerprint, time = str(description["fingerprint"]), description["codes_time"]
        if _fingerprint(hashlib.sha256(), runs, contigs) != description["index"]:
            raise ValueError("other contigs or runs of bases")
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        found = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(_damage(folder, found)) from error
    n_bases = sum(contig.length for contig in contigs)
    if len(codes) != n_bases:
        raise ValueError(_damage(folder, f"{len(codes)} bases instead of {n_bases}"))
    if (folder / _CODES_FILE).stat().st_mtime_ns != time:  # changed, or a copy of the store
        check_store(folder, runs, contigs, fingerprint=fingerprint)
    return contigs, codes, runs, fingerprint


def check_store(
    folder: Path, runs: np.ndarray, contigs: Sequence[Contig], *, fingerprint: str
) -> None:
    """Compare the content of a store with its fingerprint, reading all of it.

    Args:
        folder: Folder of the store.
        runs: Its runs, shape (runs, 3).
        contigs: Its contigs.
        fingerprint: What they must give.

    Raises:
        ValueError: If they give another one.
    """
    digest = hashlib.sha256()
    # Not through the memory map: what is read there counts as memory of this process.
    with (folder / _CODES_FILE).open("rb") as stream:
        while block := stream.read(_BLOCK_SIZE):
            digest.update(block)
    found = _fingerprint(digest, runs, contigs)
    if found != fingerprint:
        raise ValueError(_damage(folder, f"checksum {found} instead of {fingerprint}"))


def _damage(folder: Path, found: str) -> str:
    return (
        f"the genome store {folder} must be as it was written, found {found}; delete this folder "
        "and open the genome again"
    )
