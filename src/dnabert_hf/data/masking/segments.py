"""Pretraining segments: pieces of a genome as token ids, fixed by a seed and their number."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.modeling.tokenization_dnabert import kmer_ids

__all__ = ["SegmentDataset", "SegmentOptions"]

_BLOCK = 1 << 20  # bases that are cut into segments at a time
_GROUP = 1 << 24  # bases whose segments are shuffled with each other
_CLS, _SEP = 2, 3
_FULL_LENGTH_SHARE = 0.5
_MOST_READ = 10_000  # times in a pass


@dataclass(frozen=True)
class SegmentOptions:
    """Options of how segments are taken from a genome.

    Attributes:
        k: Bases per k-mer.
        mode: "cut" walks along each N-free run and leaves no gap and no overlap: a segment has
            `max_tokens` with probability 1/2, otherwise any length from `min_tokens` on.
            "sample" takes any start and any length. "both" takes as many of each.
        max_tokens: K-mers of the longest segment, [CLS] and [SEP] not counted.
        min_tokens: K-mers of the shortest segment.
        reverse_complement: Read every other segment, by chance, from the opposite strand.
        weights: How often a contig, or all contigs of a file, is read in a pass; 1 where not
            named, 0 leaves it out, 0.5 reads half of it by chance.
        seed: Fixes the segments.
        batch_size: Segments that are to share a batch; they get nearly the same length.
    """

    k: int = 6
    mode: Literal["both", "cut", "sample"] = "both"
    max_tokens: int = 510
    min_tokens: int = 5
    reverse_complement: bool = False
    weights: Mapping[str, float] = field(default_factory=dict)
    seed: int = 42
    batch_size: int = 1

    def __post_init__(self) -> None:
        if self.mode not in ("both", "cut", "sample"):
            raise ValueError(f'segments must be "both", "cut" or "sample", got {self.mode!r}')
        if not 1 <= self.min_tokens <= self.max_tokens <= 510:
            raise ValueError(
                "segments must have 1 to 510 k-mers, the shortest no more than the longest; got "
                f"min_tokens={self.min_tokens} and max_tokens={self.max_tokens}"
            )
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, got {self.batch_size}")
        weights: Mapping[str, Any] = self.weights
        for name, weight in weights.items():
            is_number = isinstance(weight, Real) and not isinstance(weight, bool)
            if not is_number or not 0 <= weight <= _MOST_READ:
                raise ValueError(
                    f"weights must be numbers from 0 to {_MOST_READ:,}, got {weight!r} for {name}"
                )


class _Table(NamedTuple):
    """Segments of a group in the order in which they are used."""

    begin: np.ndarray  # (segments,), first base in the codes of the genome
    n_tokens: np.ndarray  # (segments,)
    is_reverse: np.ndarray  # (segments,), bool


class SegmentDataset:
    """Segments of a genome, shuffled and put together by length; a map-style data set.

    Segment number i is a function of the seed and i alone, so it is the same for any number of
    processes and workers, and a run that goes on at i needs nothing but i. Read in order (no
    sampler has to shuffle), one pass over the genome follows another, each cut anew; the segments
    of sixteen million bases, drawn from blocks all over the genome, are shuffled with each other
    and every `batch_size` of them have nearly one length (Ji et al. 2021 for cut and sampled
    segments). Segments never reach over anything but A, C, G and T. What remains at the end of a
    block of a million bases and is shorter than the shortest segment is not read in that pass;
    a few more segments are sampled where a batch would not be full.

    Memory is a few megabytes plus what the table of N-free runs takes, whatever the genome's size.

    Args:
        genome: Where the bases come from.
        options: How segments are taken.
        runs: N-free runs to use, int64, shape (runs, 3): contig index, start and end within the
            contig, 0-based and half-open. All runs of the genome by default.
        length: Segments of the data set; the first pass by default.

    Attributes:
        length: Segments of the data set, which may be changed.
        n_bases: Bases of the runs in use.

    Raises:
        ValueError: If no run is long enough, or a weight names no contig or file.
    """

    def __init__(
        self,
        genome: Genome,
        options: SegmentOptions,
        *,
        runs: np.ndarray | None = None,
        length: int | None = None,
    ):
        self.genome = genome
        self.options = options
        runs = genome.runs if runs is None else runs
        self._smallest = options.min_tokens + options.k - 1
        weights = _weights(genome, options.weights)[runs[:, 0]]
        is_used = (runs[:, 2] - runs[:, 1] >= self._smallest) & (weights > 0)
        if not is_used.any():
            raise ValueError(
                f"the genome must have a run of {self._smallest} known bases at least "
                f"({options.min_tokens} k-mers) outside the held-out regions, found none; check "
                "the regions and weights, or choose shorter segments"
            )
        runs, weights = runs[is_used], weights[is_used]
        self._blocks, source = _blocks(genome.offsets[runs[:, 0], None] + runs[:, 1:])
        self._weights = weights[source]
        self.n_bases = int((runs[:, 2] - runs[:, 1]).sum())
        self._passes = [0]  # number of the first segment of each pass
        self.length = int(self._group_begins(0)[-1]) if length is None else length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Get one segment; see `__getitems__`."""
        if not 0 <= index < self.length:
            raise IndexError(f"segments are numbered 0 to {self.length - 1}, got {index}")
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Get many segments at once, as torch's DataLoader asks for them.

        Args:
            indices: Numbers of segments.

        Returns:
            For each, `input_ids` with [CLS] and [SEP], uint16 (k = 8: uint32), shape (tokens,), and
            its `index`.
        """
        wanted = np.asarray(indices, dtype=np.int64)
        begin = np.empty(len(wanted), dtype=np.int64)
        n_tokens = np.empty(len(wanted), dtype=np.int64)
        is_reverse = np.empty(len(wanted), dtype=bool)
        done = np.zeros(len(wanted), dtype=bool)
        while not done.all():
            first, last, table = self._find(int(wanted[done.argmin()]))
            here = np.flatnonzero((wanted >= first) & (wanted < last))
            rows = wanted[here] - first
            begin[here], n_tokens[here] = table.begin[rows], table.n_tokens[rows]
            is_reverse[here] = table.is_reverse[rows]
            done[here] = True
        return [
            {"input_ids": ids, "index": int(index)}
            for ids, index in zip(self._encode(begin, n_tokens, is_reverse), indices, strict=True)
        ]

    def stream(
        self, start: int = 0, *, rank: int = 0, world_size: int = 1
    ) -> Iterator[dict[str, Any]]:
        """Read the segments in order, as a streaming data set does.

        Args:
            start: Number of the first segment.
            rank: Of `world_size` readers, the one to read for: batches of `batch_size` are dealt
                out in turn.
            world_size: Readers.

        Yields:
            As `__getitems__`.
        """
        size = self.options.batch_size
        for first in range(start + rank * size, self.length, world_size * size):
            yield from self.__getitems__(range(first, min(first + size, self.length)))

    def count(self, n_passes: int) -> int:
        """Count the segments of the first passes over the genome."""
        while len(self._passes) <= n_passes:
            last = len(self._passes) - 1
            self._passes.append(self._passes[-1] + int(self._group_begins(last)[-1]))
        return self._passes[n_passes]

    def _find(self, index: int) -> tuple[int, int, _Table]:
        """Find the table that holds a segment, and the numbers of its first and past its last."""
        while self.count(len(self._passes) - 1) <= index:
            self.count(len(self._passes))
        number = int(np.searchsorted(self._passes, index, side="right")) - 1
        begins = self._group_begins(number) + self._passes[number]
        group = int(np.searchsorted(begins, index, side="right")) - 1
        return int(begins[group]), int(begins[group + 1]), self._table(number, group)

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64([self.options.seed, *key]))

    @lru_cache(maxsize=2)  # noqa: B019 - one data set a process, and it lives as long as it
    def _groups(self, number: int) -> list[np.ndarray]:
        """Deal the blocks of a pass into groups: indices of blocks for each group."""
        rng = self._rng(number)
        copies = np.floor(self._weights + rng.random(len(self._weights))).astype(np.int64)
        if not copies.any():
            copies[self._weights.argmax()] = 1
        order = rng.permutation(np.repeat(np.arange(len(copies)), copies))
        ends = np.cumsum(self._blocks[order, 1] - self._blocks[order, 0])
        cuts = np.flatnonzero(np.diff(ends // _GROUP)) + 1
        return np.split(order, cuts)

    @lru_cache(maxsize=2)  # noqa: B019
    def _group_begins(self, number: int) -> np.ndarray:
        """Number of the first segment of each group within a pass, the total last."""
        counts = [self._count_group(number, group) for group in range(len(self._groups(number)))]
        return np.concatenate([[0], np.cumsum(counts)])

    def _count_group(self, number: int, group: int) -> int:
        n_cut = len(self._cut(number, group)[0])
        wanted = {"cut": n_cut, "sample": n_cut, "both": 2 * n_cut}[self.options.mode]
        size = self.options.batch_size
        return max(1, -(-wanted // size)) * size

    def _cut(self, number: int, group: int) -> tuple[np.ndarray, np.ndarray]:
        """Walk along the blocks of a group: first bases and tokens of the segments."""
        options, rng = self.options, self._rng(number, group)
        overhang = options.k - 1
        begins, lengths = [], []
        for first, end in self._blocks[self._groups(number)[group]]:
            room = end - first
            tokens = np.empty(0, dtype=np.int64)
            ends = np.zeros(1, dtype=np.int64)
            while ends[-1] < room:
                n = int(1.6 * (room - ends[-1]) / (options.max_tokens + overhang)) + 4
                drawn = rng.integers(options.min_tokens, options.max_tokens + 1, n)
                drawn[rng.random(n) < _FULL_LENGTH_SHARE] = options.max_tokens
                tokens = np.concatenate([tokens, drawn])
                ends = np.cumsum(tokens + overhang)
            last = int(np.searchsorted(ends, room))
            starts = np.concatenate([[0], ends[:last]])
            tokens = tokens[: last + 1]
            tokens[last] = room - starts[last] - overhang
            if tokens[last] < options.min_tokens:
                starts, tokens = starts[:last], tokens[:last]
            begins.append(first + starts)
            lengths.append(tokens)
        return np.concatenate(begins), np.concatenate(lengths)

    def _sample(self, number: int, group: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw first bases and tokens of n segments of a group."""
        options, rng = self.options, self._rng(number, group, 1)
        blocks = self._blocks[self._groups(number)[group]]
        # A start leaves room for the smallest segment; a longer one ends where the block ends.
        rooms = np.cumsum(blocks[:, 1] - blocks[:, 0] - self._smallest + 1)
        drawn = rng.integers(rooms[-1], size=n)
        which = np.searchsorted(rooms, drawn, side="right")
        begin = blocks[which, 1] - self._smallest - (rooms[which] - 1 - drawn)
        tokens = rng.integers(options.min_tokens, options.max_tokens + 1, n)
        return begin, np.minimum(tokens, blocks[which, 1] - begin - options.k + 1)

    @lru_cache(maxsize=4)  # noqa: B019
    def _table(self, number: int, group: int) -> _Table:
        """List the segments of a group: shuffled, those of a batch of nearly the same length."""
        options, size = self.options, self.options.batch_size
        total = self._count_group(number, group)
        begin, tokens = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        if options.mode != "sample":
            begin, tokens = self._cut(number, group)
        more = self._sample(number, group, total - len(begin))
        begin, tokens = np.concatenate([begin, more[0]]), np.concatenate([tokens, more[1]])
        rng = self._rng(number, group, 2)
        by_length = np.lexsort((rng.random(total), tokens)).reshape(-1, size)
        order = rng.permutation(by_length).ravel()
        is_reverse = np.zeros(total, dtype=bool)
        if options.reverse_complement:
            is_reverse = rng.random(total) < 0.5
        return _Table(begin[order], tokens[order], is_reverse)

    def _encode(
        self, begin: np.ndarray, n_tokens: np.ndarray, is_reverse: np.ndarray
    ) -> list[np.ndarray]:
        """Turn intervals of the genome into token ids, [CLS] in front and [SEP] behind."""
        k, codes = self.options.k, self.genome.codes
        spans = zip(begin.tolist(), (begin + n_tokens + k - 1).tolist(), strict=True)
        pieces = [codes[first:end] & 3 for first, end in spans]
        for reverse in np.flatnonzero(is_reverse):
            pieces[reverse] = pieces[reverse][::-1] ^ 1  # A and T are 0 and 1, C and G are 2 and 3
        ids = kmer_ids(np.concatenate(pieces), k)
        rows, at = [], 0
        for n in n_tokens.tolist():
            row = np.empty(n + 2, dtype=ids.dtype)
            row[0], row[-1] = _CLS, _SEP
            row[1:-1] = ids[at : at + n]
            rows.append(row)
            at += n + k - 1
        return rows


def _weights(genome: Genome, weights: Mapping[str, float]) -> np.ndarray:
    """Weight of each contig of the genome, by its name or else by its file."""
    known = {contig.name for contig in genome.contigs} | {contig.file for contig in genome.contigs}
    for name in weights:
        if name not in known:
            files = ", ".join(sorted({contig.file for contig in genome.contigs}))
            raise ValueError(
                f"a weight must name a contig or a file of the genome, found {name!r}; the files "
                f"are {files}"
            )
    return np.array(
        [weights.get(c.name, weights.get(c.file, 1.0)) for c in genome.contigs], dtype=float
    )


def _blocks(runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide runs (runs, 2) into blocks (blocks, 2); the run of each, (blocks,)."""
    lengths = runs[:, 1] - runs[:, 0]
    parts = np.maximum(1, lengths // _BLOCK)
    source = np.repeat(np.arange(len(runs)), parts)
    part = np.arange(len(source)) - np.repeat(np.cumsum(parts) - parts, parts)
    begin = runs[source, 0] + lengths[source] * part // parts[source]
    end = runs[source, 0] + lengths[source] * (part + 1) // parts[source]
    return np.stack([begin, end], axis=1), source
