"""The frame of every experiment: backgrounds in, edits scored, rows and their means out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.reading.sources import Source
from dnabert_hf.files.counts import counted
from dnabert_hf.inference.engine.training_defaults import choose_strands
from dnabert_hf.inference.output.formats import ParquetFormat, ResultFormat, choose_table
from dnabert_hf.inference.run import Input, Run, RunFields, RunOptions
from dnabert_hf.inference.variants.targets import read_regions, read_sequences
from dnabert_hf.interpretation.experiments.backgrounds import (
    Background,
    RandomSequences,
    shuffled_backgrounds,
)
from dnabert_hf.interpretation.experiments.edits import Edit, Plan
from dnabert_hf.interpretation.experiments.effects import Effect, average
from dnabert_hf.interpretation.experiments.scoring import ClassScorer

__all__ = ["Experiment", "ExperimentFields", "run_experiment"]

_CHUNK_BASES = 1 << 19  # of edited sequences, until rows are written
_CHUNK_EDITS = 1 << 13
_SEQUENCES, _EDITED, _EDITS = "sequences", "edited", "edits"

ExperimentSource = Source | Sequence[Interval] | RandomSequences


class ExperimentFields(RunFields, total=False):
    """The options that all experiments share, and the fields of `RunOptions`, as keywords.

    Attributes:
        output: Table to write; None gives the rows back.
        label: Class, or value of a regression, to score; by default that of interest.
        both_strands: Whether to average over both strands; by default as the model was trained.
        n_shuffles: Dinucleotide shuffles of each sequence to take in its place; 0 for none.
        seed: Decides about random sequences, shuffles, sites and places.
        genome: Genome that regions lie on.
        flank: Bases on either side of a region that the model sees.
    """

    output: str | Path | None
    label: str | None
    both_strands: bool | None
    n_shuffles: int
    seed: int
    genome: Genome | None
    flank: int


@dataclass(frozen=True)
class _Settings:
    """The options that are not of the run."""

    label: str | None = None
    both_strands: bool | None = None
    n_shuffles: int = 0
    seed: int = 0
    genome: Genome | None = None
    flank: int = 0

    def __post_init__(self) -> None:
        if self.n_shuffles < 0:
            raise ValueError(f"shuffles of a sequence must be 0 or more, got {self.n_shuffles}")
        if self.flank < 0 or (self.flank and self.genome is None):
            raise ValueError(
                "bases beside a region (flank) must be 0 or more, and need a genome, got "
                f"{self.flank}"
            )


class Experiment(NamedTuple):
    """Result of an experiment.

    Attributes:
        kind: "insert", "ablate", "space" or "scan".
        about: What was done, in words.
        columns: Names of the columns.
        rows: A row for each edited sequence; none if they were written.
        effects: Mean change of each condition over the sequences, with its standard error.
        label: Class, or value, that was scored.
        is_regression: Whether it is a value.
        both_strands: Whether both strands were read and averaged.
        n_sequences: Sequences that were edited, or looked through for a motif.
        n_without: Of them, those that nothing could be done to (without the motif).
        n_edits: Edited sequences.
        lengths: Fewest and most bases of a sequence.
        trained_on: Fewest, median and most bases of the sequences that the model was trained on,
            where it says so.
        path: The table; None if rows are given back.
    """

    kind: str
    about: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    effects: list[Effect]
    label: str
    is_regression: bool
    both_strands: bool
    n_sequences: int
    n_without: int
    n_edits: int
    lengths: tuple[int, int]
    trained_on: tuple[int, int, int] | None
    path: Path | None

    @property
    def score(self) -> str:
        """What is changed, in words."""
        return f"value {self.label}" if self.is_regression else f"log odds of {self.label}"

    def summary(self) -> str:
        """Say how many there are, of what, and what was left out."""
        n_edited = self.n_sequences - self.n_without
        of_what = f"{counted(self.n_edits, 'edit')} of {counted(n_edited, 'sequence')}"
        text = f"{of_what} of {_range(*self.lengths)} bases"
        if self.trained_on is not None:
            text += f" (trained on {_range(self.trained_on[0], self.trained_on[2])})"
        text += f", {self.n_without:,} without the motif" * bool(self.n_without)
        if self.kind == "ablate" and len(self.effects) == 1:
            text += ", without room for as much elsewhere"
        return f"{text}, {self.score}{', both strands' * self.both_strands}"


def _range(fewest: int, most: int) -> str:
    return f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"


@dataclass(frozen=True)
class _Chunk:
    edits: list[tuple[Background, Edit]]

    def __len__(self) -> int:
        return len(self.edits)


class _Count(NamedTuple):
    """Counts the edits of a plan for `read_sequences`."""

    plan: Plan
    n_shuffles: int

    def count(self, sequence: str) -> int:
        return (self.plan.count(sequence) or 0) * max(self.n_shuffles, 1)


def run_experiment(
    model: Any,
    source: ExperimentSource,
    plan: Plan,
    options: Mapping[str, Any],
    *,
    kind: str,
    about: str,
    depends_on: Mapping[str, object],
) -> Experiment:
    """Edit sequences and score them with and without the edits.

    Args:
        model: Folder or Hub repository of a checkpoint, or a DNABERT model.
        source: What to edit.
        plan: How.
        options: As in `ExperimentFields`.
        kind: Name of the experiment.
        about: What it does, in words.
        depends_on: What the plan depends on, by name.

    Raises:
        ValueError: If model, source or output cannot be used.
    """
    named = dict(options)
    output = named.pop("output", None)
    own = {name: named.pop(name) for name in _Settings.__dataclass_fields__ if name in named}
    settings = _Settings(**own)
    run = Run(output, RunOptions.of(named))  # type: ignore[arg-type]
    engine = run.start(model, "sequence-classification")
    both_strands = choose_strands([engine], settings.both_strands)
    scorer = ClassScorer(engine, label=settings.label, both_strands=both_strands)
    drawn: ExperimentSource = source
    if isinstance(source, RandomSequences):
        length = source.length or _trained_length(engine.model.config)
        drawn = source.draw(length, settings.seed)
    counter = _Count(plan, settings.n_shuffles)
    if settings.genome is None:
        given = read_sequences(run, drawn, counter)  # type: ignore[arg-type]
    else:
        k = engine.tokenizer.k
        given = read_regions(drawn, settings.genome, settings.flank, counter, k=k)  # type: ignore[arg-type]
    counts: Counter[str] = Counter()
    lengths: set[int] = set()
    backgrounds = _backgrounds(given.targets, settings, lengths)
    chunks = _chunks(backgrounds, plan, counts)
    edits = Input(
        chunks, given.source, "edits", lambda: given.n_changes() or None, n_passes=1 + both_strands
    )
    columns = _columns(plan, scorer)
    rows: list[tuple[Any, ...]] = []
    if output is None:
        for chunk in run.follow(edits):
            rows += _rows(chunk, scorer)
    else:
        all_options = {
            **depends_on,
            "plan": type(plan).__name__,
            "label": scorer.label,
            "both_strands": both_strands,
            "n_shuffles": settings.n_shuffles,
            "seed": settings.seed,
            "columns": run.options.columns,
            **given.depends_on,
        }
        with run.write(edits, _choose_format(output, columns), all_options) as (writer, remaining):
            for chunk in remaining:
                of_chunk = _rows(chunk, scorer)
                writer.write(of_chunk)
                if str(output) == "-":  # nobody can read it again
                    rows += of_chunk
    path = None if output is None else Path(output)
    is_file = path is not None and path.exists()
    effects = average(path if is_file and path else rows, tuple(columns), plan.conditions)
    trained_on = getattr(engine.model.config, "training_lengths", None)
    return Experiment(
        kind=kind,
        about=f"{about}; {_say_backgrounds(source, settings)}; seed {settings.seed}",
        columns=tuple(columns),
        rows=rows,
        effects=effects,
        label=scorer.label,
        is_regression=scorer.is_regression,
        both_strands=both_strands,
        n_sequences=counts[_SEQUENCES],
        n_without=counts[_SEQUENCES] - counts[_EDITED],
        n_edits=counts[_EDITS],
        lengths=(min(lengths), max(lengths)),
        trained_on=None if trained_on is None else tuple(trained_on),
        path=path,
    )


def _trained_length(config: Any) -> int:
    lengths = getattr(config, "training_lengths", None)
    if lengths is None:
        raise ValueError(
            "the model does not say how long its training sequences were; give the bases of a "
            "random sequence (--length)"
        )
    return int(lengths[1])


def _say_backgrounds(source: ExperimentSource, settings: _Settings) -> str:
    if isinstance(source, RandomSequences):
        return f"random sequences with {source.gc:.0%} G and C"
    if settings.n_shuffles:
        return f"{settings.n_shuffles} dinucleotide shuffles of each sequence"
    return "sequences as given"


def _backgrounds(
    targets: Iterator[Any], settings: _Settings, lengths: set[int]
) -> Iterator[Background]:
    for index, target in enumerate(targets):
        lengths.add(len(target.sequence))
        yield from shuffled_backgrounds(
            target.id,
            target.sequence,
            (target.start, target.end),
            index=index,
            seed=settings.seed,
            n_shuffles=settings.n_shuffles,
        )


def _chunks(
    backgrounds: Iterator[Background], plan: Plan, counts: Counter[str]
) -> Iterator[_Chunk]:
    """Join edits until there is enough, and count what they are made of."""
    chunk: list[tuple[Background, Edit]] = []
    size = 0
    for background in backgrounds:
        counts[_SEQUENCES] += 1
        has_edits = False
        for edit in plan.edits(background):
            has_edits = True
            counts[_EDITS] += 1
            chunk.append((background, edit))
            size += len(edit.sequence)
            if size >= _CHUNK_BASES or len(chunk) >= _CHUNK_EDITS:
                yield _Chunk(chunk)
                chunk, size = [], 0
        counts[_EDITED] += has_edits
    if chunk:
        yield _Chunk(chunk)
    if not counts[_EDITS]:
        raise ValueError(
            f"there must be something to edit, found nothing in {counts[_SEQUENCES]:,} sequences: "
            "none holds the motif, or has another order of its letters"
        )


def _rows(chunk: _Chunk, scorer: ClassScorer) -> list[tuple[Any, ...]]:
    """Score a chunk: every sequence once, whatever it is part of."""
    texts = [
        text
        for background, edit in chunk.edits
        for text in (background.sequence, *edit.parts, edit.sequence)
    ]
    row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    found = scorer.scores(list(row_of))
    rows = []
    for background, edit in chunk.edits:
        each = [row_of[x] for x in (background.sequence, *edit.parts, edit.sequence)]
        odds = found.odds[each]
        values = [*found.predictions[each].tolist(), float(odds[-1] - odds[0])]
        if edit.parts:
            values.append(float(odds[3] - odds[1] - odds[2] + odds[0]))
        rows.append((background.id, background.number, *edit.cells, *values))
    return rows


def _columns(plan: Plan, scorer: ClassScorer) -> dict[str, type]:
    """Name the columns of the table, with what they hold."""
    scores = ["prob_ref", "prob", "log_odds_change"]
    if plan.has_parts:
        scores = ["prob_ref", "prob_a", "prob_b", "prob", "log_odds_change", "interaction"]
    named = dict.fromkeys(scorer.columns(*scores), float)
    return {"id": str, "shuffle": int, **plan.columns, **named}


def _choose_format(output: str | Path, columns: Mapping[str, type]) -> ResultFormat:
    def make_parquet() -> ResultFormat:
        import pyarrow as pa

        kinds = {str: pa.string(), int: pa.int64(), float: pa.float32()}
        return ParquetFormat(pa.schema([(name, kinds[kind]) for name, kind in columns.items()]))

    return choose_table(output, list(columns), {".parquet": make_parquet})
