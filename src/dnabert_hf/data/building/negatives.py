"""Negatives of data sets that are cut from a genome: windows beside the positives, and shuffles."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from dnabert_hf.data.building.labelled_windows import Example, Splitting
from dnabert_hf.data.building.matched_background import Windows, draw_matched, draw_with_tata_box
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval

__all__ = ["flanks", "matched_negatives", "negatives_with_tata_box", "shuffled_negatives"]


def flanks(
    genome: Genome, intervals: Sequence[Interval], names: Mapping[str, str], *, margin: int
) -> np.ndarray:
    """List intervals with the bases around them, which negatives are to avoid.

    Args:
        genome: The genome.
        intervals: Intervals; those on contigs that the genome lacks do not count.
        names: The genome's name of each contig, as `ContigNames.match` gives them.
        margin: Bases on either side.

    Returns:
        Contig index, start and end (0-based, half-open) of each, int64, shape (n, 3).
    """
    regions = [
        (genome.index(names[each.contig]), max(each.start - margin, 0), each.end + margin)
        for each in intervals
        if each.contig in names
    ]
    return np.array(regions, dtype=np.int64).reshape(-1, 3)


def matched_negatives(
    genome: Genome,
    positives: Sequence[Example],
    label: str,
    *,
    excluded: np.ndarray,
    splitting: Splitting,
) -> list[Example]:
    """Draw a window of the genome for each positive, alike in GC and repeats.

    Where contigs decide on the splits, it lies on a contig of the positive's split.

    Args:
        genome: The genome.
        positives: Examples of one length.
        label: Class of the negatives.
        excluded: Regions that none may touch, as `flanks` gives them.
        splitting: How the data set is split, and the seed of the choice.

    Returns:
        As many examples as there are positives.

    Raises:
        ValueError: If the genome has no room for them.
    """
    made = []
    for split, rows, others in _by_split(genome, [each.contig for each in positives], splitting):
        chosen = [positives[row] for row in rows]
        length = len(chosen[0].sequence)
        starts = [(genome.index(each.contig), each.start) for each in chosen]
        barred = np.concatenate([excluded, others])
        with _naming(split):
            windows = draw_matched(genome, starts, length, excluded=barred, seed=splitting.seed)
        made += _examples_of_windows(genome, windows, length, label, "genomic, GC matched")
    return made


def negatives_with_tata_box(
    genome: Genome,
    boxes: Sequence[tuple[str, int]],
    length: int,
    label: str,
    *,
    excluded: np.ndarray,
    splitting: Splitting,
) -> list[Example]:
    """Draw a window with a TATA box for each promoter with one, at the promoter's offset.

    Args:
        genome: The genome.
        boxes: Contig of each promoter, and where its box begins in it (0-based).
        length: Bases of a window.
        label: Class of the negatives.
        excluded: Regions that none may touch, as `flanks` gives them.
        splitting: How the data set is split, and the seed of the choice.

    Returns:
        As many examples as there are boxes, as `matched_negatives` on contigs of the same split.

    Raises:
        ValueError: If the genome has not that many.
    """
    made = []
    for split, rows, others in _by_split(genome, [contig for contig, _ in boxes], splitting):
        offsets = [boxes[row][1] for row in rows]
        barred = np.concatenate([excluded, others])
        with _naming(split):
            windows = draw_with_tata_box(
                genome, offsets, length, excluded=barred, seed=splitting.seed
            )
        made += _examples_of_windows(genome, windows, length, label, "genomic with TATA box")
    return made


@contextmanager
def _naming(split: str) -> Iterator[None]:
    """Say in an error for which split there is no room; "" is the whole genome."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{error} (contigs of the {split} split)" if split else error) from error


def _by_split(
    genome: Genome, contigs: Sequence[str], splitting: Splitting
) -> Iterator[tuple[str, list[int], np.ndarray]]:
    """Group positives by the split of their contig, each with the contigs of all other splits."""
    rows_of: dict[str, list[int]] = {}
    for row, contig in enumerate(contigs):
        rows_of.setdefault(splitting.split_of(contig), []).append(row)
    for split, rows in rows_of.items():
        others = [
            (index, 0, contig.length)
            for index, contig in enumerate(genome.contigs)
            if splitting.split_of(contig.name) != split
        ]
        yield split, rows, np.array(others, dtype=np.int64).reshape(-1, 3)


def shuffled_negatives(
    positives: Sequence[Example],
    shuffle: Callable[[list[str]], Sequence[str]],
    label: str,
    kind: str,
    *,
    numbers: Sequence[int],
) -> list[Example]:
    """Shuffle some of the positives.

    Args:
        positives: Examples.
        shuffle: Makes a shuffle of each sequence.
        label: Class of the negatives.
        kind: How they were made.
        numbers: Places of the positives to shuffle.

    Returns:
        An example for each number, which knows its source.
    """
    sequences = shuffle([positives[number].sequence for number in numbers])
    made = []
    for number, sequence in zip(numbers, sequences, strict=True):
        source = positives[number]
        interval = (source.contig, source.start, source.end, source.strand)
        name = f"{source.id}_shuffled"
        made.append(Example(name, sequence, label, *interval, kind=kind, source=number))
    return made


def _examples_of_windows(
    genome: Genome, windows: Windows, length: int, label: str, kind: str
) -> list[Example]:
    """Read windows of the genome, shape (windows,), as examples of a class."""
    examples = []
    for contig, start, is_reverse in zip(*(column.tolist() for column in windows), strict=True):
        name, strand = genome.contigs[contig].name, "+-"[is_reverse]
        interval = (name, start, start + length, strand)
        identifier = f"{name}:{start}-{start + length}:{strand}"
        examples.append(
            Example(identifier, genome.sequence(*interval), label, *interval, kind=kind)
        )
    return examples
