"""Labelled windows of a genome on their way to a data set: cleaned, split and written."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.labelled.labels import ProblemType
from dnabert_hf.data.labelled.leaks import DatasetReport, report_dataset
from dnabert_hf.data.labelled.similarity_split import assign_splits, group_similar
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.files.atomic import open_table, write_json
from dnabert_hf.files.counts import counted_reasons

__all__ = [
    "BuiltDataset",
    "Example",
    "Splitting",
    "build_dataset",
    "drop_repeated",
]

logger = logging.getLogger(__name__)

_COLUMNS = ("id", "sequence", "label", "split", "contig", "start", "end", "strand", "kind")
_SHARES_WITHOUT_TEST = {"train": 0.9, "dev": 0.1}
_LAST_KEPT = ("test", "dev", "train")  # a sequence like others in several splits stays in the first


@dataclass
class Example:
    """A sequence with its label and where it comes from.

    Attributes:
        id: Name, one of its kind in the data set.
        sequence: DNA of A, C, G, T.
        label: Class.
        contig: Name of the contig.
        start: First base of the window (0-based).
        end: Base after the last one.
        strand: "+", or "-" for the reverse complement of the window.
        kind: What it is in more detail than the label, such as "dinucleotide shuffle".
        source: Number of the example it was made from, None if it was cut from the genome.
        split: "train", "dev" or "test".
    """

    id: str
    sequence: str
    label: str
    contig: str
    start: int
    end: int
    strand: str
    kind: str
    source: int | None = None
    split: str = ""


@dataclass(frozen=True)
class Splitting:
    """Division of examples into train, dev and test.

    Without contigs, groups of similar sequences go to one split each, 80 / 10 / 10 % of them.
    With contigs, negatives come from the contigs of the split that their positives are in, so that
    the classes are as frequent everywhere. With test contigs alone, a tenth of the other sequences
    is the dev split, by groups of similar ones, and a warning says so.

    Attributes:
        dev_contigs: Contigs of the genome for validation.
        test_contigs: Contigs of the genome for the test; all others are for training.
        seed: Seed of the choice.
    """

    dev_contigs: tuple[str, ...] = ()
    test_contigs: tuple[str, ...] = ()
    seed: int = 42

    def split_of(self, contig: str) -> str:
        """Name the split that a contig is for; "" where contigs do not decide."""
        if not self.test_contigs:
            return ""
        if contig in self.dev_contigs:
            return "dev"
        return "test" if contig in self.test_contigs else "train"

    def check(self, genome: Genome) -> None:
        """Make sure that the contigs are there.

        Raises:
            ValueError: If one is not in the genome, both splits have one, or only dev has any.
        """
        known = {contig.name for contig in genome.contigs}
        missing = [name for name in (*self.dev_contigs, *self.test_contigs) if name not in known]
        if missing:
            raise ValueError(
                f"contigs of a split must be in the genome, found {missing[0]!r}; there are "
                f"{', '.join(sorted(known)[:5])}{' ...' * (len(known) > 5)}"
            )
        both = set(self.dev_contigs) & set(self.test_contigs)
        if both:
            raise ValueError(
                f"a contig must be in one split, found {min(both)!r} in dev and test; take it out "
                "of one of them"
            )
        if self.dev_contigs and not self.test_contigs:
            raise ValueError(
                "dev contigs must come with test contigs, found none; name some of them too"
            )


@dataclass
class BuiltDataset:
    """A data set that was built.

    Attributes:
        examples: Its sequences.
        omitted: How many were left out, by reason.
        report: Classes, leaks and what is cheap to learn.
    """

    examples: list[Example]
    omitted: Mapping[str, int]
    report: DatasetReport

    def write(self, path: str | Path, *, settings: Mapping[str, Any]) -> Path:
        """Write the table (TSV, gzip if the name says so) and the report beside it (JSON).

        Args:
            path: The table; it appears under its name only when it is whole.
            settings: How it was built, for the report.

        Returns:
            Path of the report: that of the table with ".report.json" in place of its suffix.
        """
        path = Path(path)
        stem = path.name.removesuffix(".gz").removesuffix(".tsv")
        with open_table(path) as write_row:
            write_row(_COLUMNS)
            for example in self.examples:
                write_row([getattr(example, name) for name in _COLUMNS])
        report_path = path.with_name(f"{stem}.report.json")
        content = {
            "settings": dict(settings),
            "omitted": dict(self.omitted),
            "report": asdict(self.report),
        }
        write_json(content, report_path)
        return report_path


def build_dataset(
    examples: Sequence[Example],
    splitting: Splitting,
    omitted: Counter[str],
    *,
    problem_type: ProblemType | None = None,
) -> BuiltDataset:
    """Drop repeated sequences, divide the others so that nothing leaks, and report on the result.

    Sequences that are equal, or each other's reverse complement, are kept once: the first of them,
    whatever its label. Sequences that share much (see `group_similar`), windows that share a base
    and sequences made from one another stay in one split; where contigs decide, those that would
    be in several are kept in the test or else the dev split only.

    Args:
        examples: Candidates, positives first.
        splitting: How to divide them.
        omitted: What was left out so far; a warning says all of it.
        problem_type: What the labels mean, as in `report_dataset`.

    Returns:
        The data set.

    Raises:
        ValueError: If nothing is left, or a split would be empty.
    """
    kept, sources = drop_repeated(examples, omitted)
    if not kept:
        raise ValueError(
            "a data set must have sequences, found none that can be used "
            f"({counted_reasons(omitted) or 'no candidates'}); check that intervals and genome fit"
        )
    _name_apart(kept)
    if splitting.test_contigs:
        kept = _split_by_contig(kept, sources, splitting, omitted)
    else:
        labels = np.array([example.label for example in kept])
        names = assign_splits(_group(kept, sources), seed=splitting.seed, labels=labels)
        for example, name in zip(kept, names, strict=True):
            example.split = str(name)
    if omitted:
        logger.warning("left out: %s", counted_reasons(omitted))
    report = report_dataset(
        [example.sequence for example in kept],
        [example.label for example in kept],
        [example.split for example in kept],
        ids=[example.id for example in kept],
        problem_type=problem_type,
    )
    return BuiltDataset(kept, dict(omitted), report)


def _group(examples: Sequence[Example], sources: Sequence[int | None]) -> np.ndarray:
    """Number groups of examples that are similar, share a base or were made from one another."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    groups = group_similar([example.sequence for example in examples])
    pairs = [(i, source) for i, source in enumerate(sources) if source is not None]
    pairs += _overlapping(examples)
    if not pairs:
        return groups
    first, second = groups[np.array(pairs).T]
    n_groups = int(groups.max()) + 1
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(n_groups, n_groups))
    return np.asarray(connected_components(graph, directed=False)[1])[groups]


def _overlapping(examples: Sequence[Example]) -> list[tuple[int, int]]:
    """Pair each window with an earlier one on its contig that it shares a base with, if any."""
    order = sorted(range(len(examples)), key=lambda i: (examples[i].contig, examples[i].start))
    pairs = []
    farthest = order[0]  # of the windows so far, the one that reaches farthest
    for i in order[1:]:
        is_on_contig = examples[i].contig == examples[farthest].contig
        if is_on_contig and examples[i].start < examples[farthest].end:
            pairs.append((i, farthest))
        if not is_on_contig or examples[i].end > examples[farthest].end:
            farthest = i
    return pairs


def _name_apart(examples: Sequence[Example]) -> None:
    """Number the names that several examples share: transcripts may be called after their gene."""
    names = {example.id for example in examples}
    seen: set[str] = set()
    counts: Counter[str] = Counter()
    for example in examples:
        name = example.id
        while example.id in (names if counts[name] else seen):
            counts[name] += 1
            example.id = f"{name}_{counts[name] + 1}"
        names.add(example.id)
        seen.add(example.id)


def drop_repeated(
    examples: Sequence[Example], omitted: Counter[str]
) -> tuple[list[Example], list[int | None]]:
    """Keep the first of equal sequences; the kept ones and the index of each one's source."""
    seen: dict[str, Example] = {}
    kept: list[Example] = []
    sources: list[int | None] = []
    index_of: dict[int, int] = {}
    for number, example in enumerate(examples):
        canonical = min(example.sequence, reverse_complement(example.sequence))
        earlier = seen.setdefault(canonical, example)
        if earlier is not example:
            is_same = earlier.label == example.label
            reason = "repeated sequences" if is_same else "sequences that have another label, too"
            omitted[reason] += 1
            continue
        if example.source is not None and example.source not in index_of:
            omitted["shuffles of sequences that were left out"] += 1
            continue
        index_of[number] = len(kept)
        kept.append(example)
        sources.append(None if example.source is None else index_of[example.source])
    return kept, sources


def _split_by_contig(
    examples: list[Example],
    sources: Sequence[int | None],
    splitting: Splitting,
    omitted: Counter[str],
) -> list[Example]:
    for example in examples:
        example.split = splitting.split_of(example.contig)
    kept, is_settled = examples, False
    # K-mers of many sequences do not make them similar; they may once some sequences are left out.
    while not is_settled:
        stays = _where_groups_stay(kept, _group(kept, sources))
        rows = [row for row, example in enumerate(kept) if example.split == stays[row]]
        for example, split in zip(kept, stays, strict=True):
            if example.split != split:
                omitted[f"{example.split} sequences that are like one of {split}"] += 1
        is_settled = len(rows) == len(kept)
        # A shuffle has contig and group of its source, so that they go together.
        index_of = {row: index for index, row in enumerate(rows)}
        old_sources = [sources[row] for row in rows]
        sources = [None if source is None else index_of[source] for source in old_sources]
        kept = [kept[row] for row in rows]
    missing = {"train", "test"} - {example.split for example in kept}
    if missing:
        raise ValueError(
            f"the {min(missing)} split must have sequences, found none on its contigs; choose "
            "other contigs"
        )
    if not splitting.dev_contigs:
        _split_off_dev(kept, sources, splitting.seed)
    return kept


def _split_off_dev(examples: Sequence[Example], sources: Sequence[int | None], seed: int) -> None:
    """Make a tenth of the training examples the dev split, groups of similar ones together."""
    groups = _group(examples, sources)
    rows = [row for row, example in enumerate(examples) if example.split == "train"]
    labels = np.array([examples[row].label for row in rows])
    try:
        names = assign_splits(groups[rows], shares=_SHARES_WITHOUT_TEST, seed=seed, labels=labels)
    except ValueError as error:  # too few groups of similar sequences
        logger.warning("there is no dev split; name contigs for it (--dev-contig): %s", error)
        return
    for row, name in zip(rows, names.tolist(), strict=True):
        examples[row].split = name
    logger.warning(
        "no dev contigs were named (--dev-contig): %d of the %d sequences that are not for the "
        "test are the dev split, similar ones together",
        (names == "dev").sum(),
        len(rows),
    )


def _where_groups_stay(examples: Sequence[Example], groups: np.ndarray) -> list[str]:
    """Name the split in which the group of each example stays."""
    splits_of_group: dict[int, set[str]] = {}
    for example, group in zip(examples, groups.tolist(), strict=True):
        splits_of_group.setdefault(group, set()).add(example.split)
    stays = {
        group: next(split for split in _LAST_KEPT if split in splits)
        for group, splits in splits_of_group.items()
    }
    return [stays[group] for group in groups.tolist()]
