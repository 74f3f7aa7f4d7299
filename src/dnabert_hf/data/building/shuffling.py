"""Negatives made of the positives themselves: shuffled so that what is cheap to learn is gone."""

from collections.abc import Sequence

import numpy as np

__all__ = ["shuffle_chunks", "shuffle_dinucleotides"]

_BASES = np.frombuffer(b"ACGT", dtype=np.uint8)
_CODES = np.full(256, 255, dtype=np.uint8)
_CODES[_BASES] = range(4)
_BATCH_BASES = 1 << 22  # bounds the memory of one batch to some 200 MB
_LAST = 2.0  # behind every random key, which are below 1


def shuffle_dinucleotides(sequences: Sequence[str], *, seed: int) -> list[str]:
    """Shuffle each sequence so that its dinucleotide counts stay exactly as they are.

    Every order with these counts and the same first and last base is equally likely: a random walk
    over all edges of the graph of dinucleotides (Altschul and Erickson 1985). All sequences of a
    length are walked at once.

    Args:
        sequences: DNA of A, C, G, T, upper case, any lengths.
        seed: Seed of the choice.

    Returns:
        The shuffled sequences, in order. One that has no other order comes back as it was.

    Raises:
        ValueError: If a sequence holds another letter.

    Example:
        >>> shuffle_dinucleotides(["AAAA", "ACGTACGT"], seed=0)[0]
        'AAAA'
    """
    generator = np.random.default_rng(seed)
    lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
    shuffled = list(sequences)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        n_rows = max(_BATCH_BASES // max(int(length), 1), 1)
        for begin in range(0, len(rows), n_rows):
            chosen = rows[begin : begin + n_rows]
            codes = _encode([sequences[row] for row in chosen], chosen)
            if length > 2:
                codes = _shuffle_codes(codes, generator)
            letters = _BASES[codes].tobytes().decode("ascii")
            for position, row in enumerate(chosen):
                shuffled[row] = letters[position * length : (position + 1) * length]
    return shuffled


def _encode(sequences: Sequence[str], rows: np.ndarray) -> np.ndarray:
    """Turn sequences of one length into digits 0 to 3, uint8, shape (sequences, bases)."""
    letters = np.frombuffer("".join(sequences).encode("utf-8"), dtype=np.uint8)
    codes = _CODES[letters]
    if (codes > 3).any():
        position = int(np.argmax(codes > 3))
        length = len(sequences[0])
        raise ValueError(
            f"sequence {rows[position // length]} (0-based) must hold A, C, G and T alone to be "
            f"shuffled, found {chr(letters[position])!r} at position {position % length} "
            "(0-based); leave such sequences out"
        )
    return codes.reshape(len(sequences), -1)


def _shuffle_codes(codes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Walk along a random Eulerian path of each row's dinucleotides, same shape and type."""
    n_rows, length = codes.shape
    sources, targets = codes[:, :-1], codes[:, 1:]
    keys = generator.random(sources.shape)
    np.put_along_axis(keys, _last_exits(codes, generator), _LAST, axis=1)
    # Exits by base and, within a base, by random key; the chosen last exits come last.
    order = np.argsort(sources + keys / (_LAST * 2), axis=1)
    exits = np.take_along_axis(targets, order, axis=1)
    counts = np.stack([(sources == base).sum(axis=1) for base in range(4)], axis=1)
    next_exit = np.cumsum(counts, axis=1) - counts
    walked = np.empty_like(codes)
    walked[:, 0] = here = codes[:, 0]
    every_row = np.arange(n_rows)
    for step in range(1, length):
        exit_number = next_exit[every_row, here]
        next_exit[every_row, here] += 1
        walked[:, step] = here = exits[every_row, exit_number]
    return walked


def _last_exits(codes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Choose the dinucleotide by which the walk leaves each base for the last time.

    Those of the bases must lead to the last base of the sequence, or the walk would end early; a
    choice that does not is made again, for all bases.

    Returns:
        Positions of the four dinucleotides, shape (rows, 4). For a base that is not there, or that
        ends the sequence, one of another base stands in, which changes nothing.
    """
    n_rows = len(codes)
    sources, targets = codes[:, :-1], codes[:, 1:]
    final = codes[:, -1]
    chosen = np.empty((n_rows, 4), dtype=np.int64)
    open_rows = np.arange(n_rows)
    while len(open_rows):
        keys = generator.random((len(open_rows), sources.shape[1]))
        leads_to = np.tile(final[open_rows, None], (1, 4))
        exits = np.empty((len(open_rows), 4), dtype=np.int64)
        for base in range(4):
            is_exit = sources[open_rows] == base
            position = np.where(is_exit, keys, -1).argmax(axis=1)
            counts = is_exit.any(axis=1) & (final[open_rows] != base)
            exits[:, base] = np.where(counts, position, -1)
            found = targets[open_rows, position]
            leads_to[:, base] = np.where(counts, found, final[open_rows])
        reached = np.tile(np.arange(4, dtype=leads_to.dtype), (len(open_rows), 1))
        for _ in range(4):
            reached = np.take_along_axis(leads_to, reached.astype(np.int64), axis=1)
        is_tree = (reached == final[open_rows, None]).all(axis=1)
        # A stand-in must not move another base's exit: take one that is last anyway, or any exit of
        # the final base, whose order is free.
        stand_in = exits.max(axis=1, keepdims=True)
        exits = np.where(exits < 0, np.maximum(stand_in, 0), exits)
        chosen[open_rows[is_tree]] = exits[is_tree]
        open_rows = open_rows[~is_tree]
    return chosen


def shuffle_chunks(
    sequences: Sequence[str], *, seed: int, n_chunks: int = 20, n_moved: int = 12
) -> list[str]:
    """Cut each sequence into chunks and let some of them change places (Oubounyt et al. 2019).

    What DNABERT's negatives for promoters without a TATA box were made like: the composition stays,
    and only the order of distant parts tells them from promoters.

    Args:
        sequences: Sequences of `n_chunks` letters at least.
        seed: Seed of the choice.
        n_chunks: Chunks, as equal in length as can be.
        n_moved: Chunks that change places among each other, at least two of them for good.

    Returns:
        The shuffled sequences, in order.

    Raises:
        ValueError: If a sequence is shorter than `n_chunks`, or there is nothing to move.

    Example:
        >>> sorted(shuffle_chunks(["AACCGGTT"], seed=1, n_chunks=4, n_moved=4)[0])
        ['A', 'A', 'C', 'C', 'G', 'G', 'T', 'T']
    """
    if not 2 <= n_moved <= n_chunks:
        raise ValueError(f"n_moved must be from 2 to n_chunks = {n_chunks}, got {n_moved}")
    generator = np.random.default_rng(seed)
    shuffled = []
    for number, sequence in enumerate(sequences):
        if len(sequence) < n_chunks:
            raise ValueError(
                f"sequence {number} (0-based) must have {n_chunks} bases at least to be cut into "
                f"as many chunks, found {len(sequence)}; leave it out"
            )
        bounds = np.linspace(0, len(sequence), n_chunks + 1).round().astype(int).tolist()
        order = np.arange(n_chunks)
        moved = generator.choice(n_chunks, n_moved, replace=False)
        permuted = generator.permutation(moved)
        while (permuted == moved).all():
            permuted = generator.permutation(moved)
        order[moved] = permuted
        shuffled.append("".join(sequence[bounds[i] : bounds[i + 1]] for i in order))
    return shuffled
