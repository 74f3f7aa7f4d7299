"""Sequences that are near copies of each other, and splits that keep them on one side."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from dnabert_hf.data.reading.sequences import clean_all, reverse_complement

__all__ = ["SPLIT_SHARES", "assign_splits", "group_similar", "number_equal"]

logger = logging.getLogger(__name__)

SPLIT_SHARES: Mapping[str, float] = {"train": 0.8, "dev": 0.1, "test": 0.1}

_MAX_SEQUENCES = 16  # a k-mer in more distinct sequences than this is a repeat
_CHUNK = 1 << 18  # bases whose k-mers are coded at a time; they stay in the cache
_MAX_PAIRS = 1 << 22  # pairs of sequences that are counted at a time
_OTHER = 4
# A and T are 0 and 1, C and G 2 and 3: a flip of the last bit complements.
_DIGITS = bytearray([_OTHER]) * 256
_DIGITS[ord("A")], _DIGITS[ord("T")], _DIGITS[ord("C")], _DIGITS[ord("G")] = range(4)


def group_similar(
    sequences: Sequence[str], *, k: int = 24, n_shared: int | None = None
) -> np.ndarray:
    """Number groups of sequences that a fair split keeps together.

    Two sequences belong together if they are equal, each other's reverse complement, or share
    `n_shared` different k-mers of either strand, or 80 % of the k-mers of the one that has fewer,
    where that is less. Groups are chains of such pairs. K-mers with letters other than A, C, G, T
    do not count, nor do repeats, k-mers found in more than 16 different sequences: how many
    sequences have too few others to be found similar is logged. Windows that overlap so densely
    that each base lies in more than 16 of them are such; split those by contig.

    Args:
        sequences: DNA or RNA in any case.
        k: Bases per k-mer, 1 to 32.
        n_shared: K-mers that similar sequences share, at least 1; k by default, which is what an
            overlap of 2k - 1 bases has.

    Returns:
        Group of each sequence, int64, shape (sequences,), from 0 in the order of their first
        members.

    Raises:
        ValueError: If k or n_shared is out of range or a letter is no nucleotide code.

    Example:
        >>> group_similar(["ACGTTG", "CAACGT", "CCGTTG", "AAAAAA"], k=4, n_shared=2).tolist()
        [0, 0, 0, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not 1 <= k <= 32:
        raise ValueError(f"k must be 1 to 32, so that a k-mer fits into 64 bits, got {k}")
    if n_shared is not None and n_shared < 1:
        raise ValueError(f"n_shared must be 1 or more, got {n_shared}")
    if not len(sequences):
        return np.empty(0, dtype=np.int64)
    letters = [sequence.encode("utf-8", "replace") for sequence in sequences]
    cleaned = clean_all(letters, source_of="sequence {} (0-based)".format)
    forms = number_equal(cleaned, both_strands=True)
    # Copies would make repeats of the k-mers that tell what else is similar to them.
    distinct = [cleaned[row] for row in np.unique(forms, return_index=True)[1]]
    pairs = _find_similar(distinct, k=k, n_shared=k if n_shared is None else n_shared)
    is_linked = np.ones(pairs.shape[1], dtype=np.bool_)
    graph = coo_array((is_linked, tuple(pairs)), shape=(len(distinct),) * 2)
    _, components = connected_components(graph, directed=False)
    _, first, groups = np.unique(components, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[groups][forms].astype(np.int64)


def number_equal(sequences: Sequence[str], *, both_strands: bool = False) -> np.ndarray:
    """Give equal sequences equal numbers.

    Args:
        sequences: DNA in one case.
        both_strands: Whether a sequence and its reverse complement are equal, too.

    Returns:
        Number of each sequence, int64, shape (sequences,), from 0 in the order of first members.

    Raises:
        ValueError: If a letter is no nucleotide code and `both_strands` is asked for.

    Example:
        >>> sequences = ["AAC", "GTT", "AAC"]
        >>> number_equal(sequences).tolist(), number_equal(sequences, both_strands=True).tolist()
        ([0, 1, 0], [0, 0, 0])
    """
    numbers: dict[str, int] = {}
    forms = (min(s, reverse_complement(s)) for s in sequences) if both_strands else sequences
    return np.array([numbers.setdefault(form, len(numbers)) for form in forms], dtype=np.int64)


def _find_similar(sequences: Sequence[str], *, k: int, n_shared: int) -> np.ndarray:
    """Find the pairs of different sequences that share enough k-mers, shape (2, pairs)."""
    n = len(sequences)
    codes, owners = _code_kmers(sequences, k)
    n_kmers = np.bincount(owners, minlength=n)  # different ones, once the loop below is through
    order = np.argsort(codes)
    codes, owners = codes[order], owners[order]
    is_first = np.ones(len(codes) + 1, dtype=np.bool_)
    np.not_equal(codes[1:], codes[:-1], out=is_first[1:-1])
    is_shared = ~(is_first[:-1] & is_first[1:])
    # One number for k-mer and sequence: sorted, it shows what a sequence has twice.
    entries = (np.cumsum(is_first[:-1])[is_shared] - 1) * n + owners[is_shared]
    entries.sort()
    is_again = np.zeros(len(entries), dtype=np.bool_)
    np.equal(entries[1:], entries[:-1], out=is_again[1:])
    n_kmers -= np.bincount(entries[is_again] % n, minlength=n)
    kmers, owners = np.divmod(entries[~is_again], n)
    _, rows, sizes = np.unique(kmers, return_inverse=True, return_counts=True)
    is_repeat = sizes[rows] > _MAX_SEQUENCES
    n_needed = np.minimum(n_shared, -(-4 * n_kmers // 5))
    n_usable = n_kmers - np.bincount(owners[is_repeat], minlength=n)
    _report_not_compared(n_kmers, n_usable < n_needed, k)

    owners, kmers = owners[~is_repeat], kmers[~is_repeat]
    found = [np.empty((2, 0), dtype=np.int64)]
    for pairs, counts in _count_pairs(kmers, owners, n):
        found.append(pairs[:, counts >= n_needed[pairs].min(axis=0)])
    return np.concatenate(found, axis=1)


def _code_kmers(sequences: Sequence[str], k: int) -> tuple[np.ndarray, np.ndarray]:
    """Code the k-mers of A, C, G, T, the smaller code of both strands; and whose each is."""
    lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
    chunks = np.cumsum(lengths) // _CHUNK
    bounds = [0, *(np.flatnonzero(np.diff(chunks)) + 1).tolist(), len(sequences)]
    codes, owners = [np.empty(0, dtype=np.uint64)], [np.empty(0, dtype=np.int32)]
    for start, end in pairwise(bounds):
        text = "-".join(sequences[start:end]).encode("ascii").translate(bytes(_DIGITS))
        digits = np.frombuffer(text, dtype=np.uint8)
        n_before = np.concatenate([[0], np.cumsum(digits == _OTHER)])
        begins = np.flatnonzero(n_before[k:] == n_before[:-k])  # where a k-mer begins
        values = (digits & 3).astype(np.uint64)
        forward = _join_digits(values, k)[begins]
        backward = _join_digits(values[::-1] ^ np.uint64(1), k)[::-1][begins]
        codes.append(np.minimum(forward, backward))
        numbers = np.arange(start, end, dtype=np.int32)
        owners.append(np.repeat(numbers, lengths[start:end] + 1)[begins])
    return np.concatenate(codes), np.concatenate(owners)


def _join_digits(digits: np.ndarray, length: int) -> np.ndarray:
    """Read every `length` digits in a row in base 4, from two words of half that length."""
    if length == 1 or len(digits) < length:
        return digits[: max(0, len(digits) - length + 1)]
    half = length // 2
    words = _join_digits(digits, half)
    words = words[:-half] << np.uint64(2 * half) | words[half:]
    return words[:-1] << np.uint64(2) | digits[length - 1 :] if length % 2 else words


def _report_not_compared(n_kmers: np.ndarray, is_left_out: np.ndarray, k: int) -> None:
    n_without = int(np.count_nonzero(n_kmers == 0))
    n_repeats = int(np.count_nonzero(is_left_out))
    if n_without:
        logger.warning(
            "%d of %d different sequences hold no %d-mer of A, C, G and T: they are looked up as "
            "equal or reverse complement, not as similar",
            n_without,
            len(n_kmers),
            k,
        )
    if n_repeats:
        logger.warning(
            "%d of %d different sequences are made of repeats, %d-mers found in more than %d "
            "sequences: they are looked up as equal or reverse complement, not as similar; split "
            "windows that overlap so densely by place",
            n_repeats,
            len(n_kmers),
            k,
            _MAX_SEQUENCES,
        )


def _count_pairs(
    kmers: np.ndarray, owners: np.ndarray, n: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Count the k-mers that each pair of sequences shares, every pair in one go.

    Args:
        kmers: Number of a k-mer, ascending, shape (entries,).
        owners: Sequence that has it, ascending within a k-mer, shape (entries,).
        n: Number of sequences.

    Yields:
        Pairs, the lower number first, shape (2, pairs), and their counts, shape (pairs,).
    """
    # An entry is paired with those after it that are of the same k-mer.
    n_later = np.searchsorted(kmers, kmers, side="right") - np.arange(len(kmers)) - 1
    by_owner = np.argsort(owners, kind="stable")
    n_pairs = np.cumsum(np.bincount(owners, weights=n_later, minlength=n)).astype(np.int64)
    bounds = [0, *(np.flatnonzero(np.diff(n_pairs // _MAX_PAIRS)) + 1).tolist(), n]
    row_bounds = np.searchsorted(owners[by_owner], bounds)
    for start, end in pairwise(row_bounds.tolist()):
        rows = by_owner[start:end]
        first = np.repeat(rows, n_later[rows])
        n_before = np.cumsum(n_later[rows]) - n_later[rows]
        second = first + 1 + np.arange(len(first)) - np.repeat(n_before, n_later[rows])
        pairs, counts = np.unique(owners[first] * n + owners[second], return_counts=True)
        yield np.stack(np.divmod(pairs, n)), counts


def assign_splits(
    groups: np.ndarray,
    *,
    shares: Mapping[str, float] = SPLIT_SHARES,
    seed: int,
    labels: np.ndarray | None = None,
) -> np.ndarray:
    """Divide sequences into splits, no group into two, sizes and classes as near as that allows.

    A group counts for the class of most of its members. Class by class, groups that are larger
    than the smallest split come first, the largest at the head; the others follow in random order.
    Each goes to the split with most room left, so a giant group to the one with the largest share.

    Args:
        groups: Group of each sequence, shape (sequences,), as `group_similar` numbers them.
        shares: Share of the sequences of each split, above 0 and 1 together.
        seed: Fixes the order of the groups.
        labels: Class of each sequence, shape (sequences,); by default all are of one.

    Returns:
        Name of the split of each sequence, shape (sequences,).

    Raises:
        ValueError: If shares are not above 0 or not 1 together, labels are not one a sequence, or
            a split stays empty.

    Example:
        >>> groups = np.array([0, 0, 0, 1, 2, 2])
        >>> assign_splits(groups, shares={"train": 0.5, "test": 0.5}, seed=1).tolist()
        ['train', 'train', 'train', 'test', 'test', 'test']
    """
    groups = np.asarray(groups)
    if min(shares.values(), default=0) <= 0 or not np.isclose(sum(shares.values()), 1):
        raise ValueError(f"shares must be above 0 and 1 together, got {dict(shares)}")
    if labels is not None and np.shape(labels) != groups.shape:
        raise ValueError(
            f"labels must be one a sequence, shape {groups.shape}, got {np.shape(labels)}"
        )
    _, members, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    classes = np.zeros(len(sizes), dtype=np.int64)
    if labels is not None:
        classes = _majority(members, np.asarray(labels))
    chosen = np.empty(len(sizes), dtype=np.int64)
    order = np.random.default_rng(seed).permutation(len(sizes))
    for label in np.unique(classes):
        of_class = order[classes[order] == label]
        chosen[of_class] = _fill(sizes[of_class], np.array(list(shares.values())))
    names = np.array(list(shares))
    empty = [name for index, name in enumerate(shares) if index not in chosen]
    if empty:
        raise ValueError(
            f"each split must get at least one sequence, found none for {', '.join(empty)} after "
            f"dividing {len(groups)} sequences in {len(sizes)} groups of similar ones, the largest "
            f"of {sizes.max(initial=0)}; add sequences or leave the split out"
        )
    return names[chosen[members]]


def _majority(members: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Tell which label most members of each group have, the smallest of several."""
    names, numbers = np.unique(labels, return_inverse=True)
    entries, counts = np.unique(members * len(names) + numbers, return_counts=True)
    groups, classes = np.divmod(entries, len(names))
    order = np.lexsort((classes, -counts, groups))
    return np.asarray(classes[order][np.unique(groups[order], return_index=True)[1]])


def _fill(sizes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Choose a split for each group of a class, shape (groups,)."""
    room = shares * sizes.sum()
    is_giant = sizes > room.min()
    giants = np.flatnonzero(is_giant)
    giants = giants[np.argsort(-sizes[giants], kind="stable")]
    chosen = np.empty(len(sizes), dtype=np.int64)
    for group in [*giants, *np.flatnonzero(~is_giant)]:
        chosen[group] = np.argmax(room)
        room[chosen[group]] -= sizes[group]
    return chosen
