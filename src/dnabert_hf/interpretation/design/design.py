"""Design of sequences: edited until a model scores them higher, or near a target."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np

from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.reading.sources import Source
from dnabert_hf.files.counts import counted
from dnabert_hf.inference.engine.training_defaults import choose_strands
from dnabert_hf.inference.output.formats import ParquetFormat, ResultFormat, choose_table
from dnabert_hf.inference.run import Input, Run, RunFields, RunOptions
from dnabert_hf.inference.variants.mutation_scores import Target
from dnabert_hf.inference.variants.targets import read_sequences
from dnabert_hf.interpretation.design.limits import Limits
from dnabert_hf.interpretation.design.opinions import Opinion, disagrees, read_saved_regression
from dnabert_hf.interpretation.design.search import Aim, Search, Step
from dnabert_hf.interpretation.experiments.effects import read_table
from dnabert_hf.interpretation.experiments.scoring import ClassScorer

__all__ = ["Design", "Designs", "design"]

logger = logging.getLogger(__name__)

_NAMES = {"kmers": "the regression on 5-mer counts", "also": "the second model"}


class Design(NamedTuple):
    """A designed sequence.

    Attributes:
        id: Name of the record that it was made of.
        steps: The way there, as in the table: a row for each sequence, the one at the start first.
    """

    id: str
    steps: list[dict[str, Any]]

    @property
    def sequence(self) -> str:
        """The result."""
        return str(self.steps[-1]["sequence"])


@dataclass(frozen=True)
class Designs:
    """Result of a run.

    Attributes:
        designs: The sequences, with the way to each.
        label: Class, or value, that was scored.
        score: Column of its probability, or value.
        is_regression: Whether it is a value.
        target: What was to be reached; None for as high as can be.
        columns: Names of the columns.
        path: The table; None without one.
        limits: What was kept to.
        others: Columns of what others say, by who they are.
    """

    designs: list[Design]
    label: str
    score: str
    is_regression: bool
    target: float | None
    columns: tuple[str, ...]
    path: Path | None
    limits: Limits
    others: dict[str, str]

    def means(self, column: str) -> tuple[float, float]:
        """Give the mean of a column over sequences, at the start and of the results."""
        if not self.designs:
            return float("nan"), float("nan")
        first = np.mean([each.steps[0][column] for each in self.designs])
        last = np.mean([each.steps[-1][column] for each in self.designs])
        return float(first), float(last)

    def summary(self) -> str:
        """Say how many there are, and how far they came."""
        what = "value" if self.is_regression else "probability of"
        if not self.designs:
            return "designs"
        before, after = self.means(self.score)
        n_edits = np.mean([each.steps[-1]["edits"] for each in self.designs])
        text = (
            f"{counted(len(self.designs), 'design')}, mean {what} {self.label} {before:.3g} -> "
            f"{after:.3g} by {n_edits:.3g} edits"
        )
        if self.target is not None:
            text += f", {self.n_reached:,} of them near {self.target:g}"
        return text

    @property
    def n_reached(self) -> int:
        """How many came near the target."""
        aim = Aim(self.target, self.is_regression)
        return sum(
            aim.is_near(each.steps[-1][self.score], each.steps[0][self.score])
            for each in self.designs
        )

    def warnings(self) -> list[str]:
        """Say in a sentence each who does not see what the model sees."""
        texts = []
        for name, column in self.others.items():
            n_apart = sum(self.is_doubted(each, column) for each in self.designs)
            if n_apart:
                before, after = self.means(column)
                texts.append(
                    f"{_NAMES[name]} does not agree on {n_apart:,} of {len(self.designs):,} "
                    f"designs (its mean {before:.3g} -> {after:.3g}): they may please the model "
                    "alone"
                )
        return texts

    def is_doubted(self, each: Design, column: str) -> bool:
        """Tell whether another one does not agree on a design, by its column."""
        first, last = each.steps[0], each.steps[-1]
        model, other = ((float(first[name]), float(last[name])) for name in (self.score, column))
        return disagrees(model, other, is_regression=self.is_regression)


@dataclass(frozen=True)
class _Chunk:
    target: Target
    index: int

    def __len__(self) -> int:
        return 1


class _Once(NamedTuple):
    """Counts a design for each sequence."""

    def count(self, sequence: str) -> int:
        """Count one."""
        return bool(sequence)


def design(
    model: Any,
    source: Source,
    *,
    output: str | Path | None = None,
    target: float | None = None,
    limits: Limits | None = None,
    beam: int = 1,
    shortlist: int | None = None,
    also: Any = None,
    label: str | None = None,
    both_strands: bool | None = None,
    seed: int = 0,
    **options: Unpack[RunFields],
) -> Designs:
    """Edit sequences, base after base, until a model scores them higher, or near a target.

    Greedy by default: all single substitutions are scored, the best is made, and so on. `beam`
    keeps several sequences at each step; `shortlist` scores only the substitutions that a
    first-order estimate from one gradient finds best, for a fraction of the time. What pleases one
    model may be an answer to its faults: the regression on 5-mer counts that `finetune` saves
    beside a model scores the results too, and so does a second model.

    Args:
        model: Folder or Hub repository of a fine-tuned classifier or regression, or a model.
        source: File of sequences ("-" is standard input), or sequences, to begin with.
        output: Table to write, .tsv, .csv (either may end in .gz) or .parquet: a row for each step.
            A run that is stopped goes on with the next sequence.
        target: Probability (0 to 1), or value of a regression, to come near, within 0.01 (of a
            value: within 1 % of the way); by default as high as can be.
        limits: Edits, frozen bases, G and C, forbidden motifs, runs; by default 10 edits.
        beam: Sequences that are kept at each step.
        shortlist: Substitutions of each sequence that are tried; by default all.
        also: A second model of the same class, such as one of another k or trained on other data.
        label: Class, or value, to design for; by default that of interest.
        both_strands: Whether to average over both strands; by default as the model was trained.
        seed: Decides between edits that are equally good.
        **options: The fields of `RunOptions`.

    Returns:
        The designs, each with the way there.

    Raises:
        ValueError: If model, source or output cannot be used, or limits cannot be kept to.
        KeyboardInterrupt: If it is stopped; with an output the same again goes on.
    """
    limits = limits or Limits()
    if beam < 1 or (shortlist is not None and shortlist < 1):
        raise ValueError(f"beam and shortlist must be 1 or more, got {beam} and {shortlist}")
    run = Run(output, RunOptions.of(options))
    engine = run.start(model, "sequence-classification")
    both_strands = choose_strands([engine], both_strands)
    scorer = ClassScorer(engine, label=label, both_strands=both_strands)
    if shortlist is not None and engine.dtype == "int8":
        raise ValueError(
            "a shortlist comes from gradients, which int8 does not have; leave out the shortlist, "
            "or choose another dtype"
        )
    search = Search(scorer, Aim(target, scorer.is_regression), limits, beam, shortlist)
    opinions = _opinions(run, model, also, scorer)
    given = read_sequences(run, source, _Once())
    unseen = set(limits.frozen_of or ())
    chunks = _chunks(given.targets, unseen)
    n_passes = limits.edits * (1 + both_strands)
    sequences = Input(chunks, given.source, "designs", given.n_changes, n_passes=n_passes)
    columns = _columns(scorer, opinions)
    rows: list[tuple[Any, ...]] = []

    def compute(chunk: _Chunk) -> list[tuple[Any, ...]]:
        rng = np.random.default_rng([seed, chunk.index])
        steps = search.run(chunk.target.id, chunk.target.sequence, rng)
        return list(_rows(chunk.target.id, steps, scorer, opinions))

    if output is None:
        for chunk in run.follow(sequences):
            rows += compute(chunk)
    else:
        depends_on = {
            "target": target,
            "limits": asdict(limits),
            "motifs": [each.probabilities.tolist() for each in limits.motifs],
            "beam": beam,
            "shortlist": shortlist,
            "label": scorer.label,
            "both_strands": both_strands,
            "seed": seed,
            "columns": run.options.columns,
            "others": list(columns),
        }
        with run.write(sequences, _choose_format(output, columns), depends_on) as (writer, left):
            for chunk in left:
                of_chunk = compute(chunk)
                writer.write(of_chunk)
                if str(output) == "-":  # nobody can read it again
                    rows += of_chunk
    path = None if output is None else Path(output)
    if path is not None and str(path) != "-" and path.exists():
        rows = list(read_table(path, list(columns)))
    score = scorer.columns("prob")[0]
    done = Designs(
        _designs(rows, tuple(columns)),
        scorer.label,
        score,
        scorer.is_regression,
        target,
        tuple(columns),
        path,
        limits,
        {each.name: _column_of(each, scorer) for each in opinions},
    )
    if unseen:
        logger.warning(
            "frozen bases of %s belong to no sequence; name sequences as the source does",
            ", ".join(sorted(unseen)[:3]),
        )
    for text in done.warnings():
        logger.warning("%s", text)
    return done


def _chunks(targets: Iterator[Target], unseen: set[str]) -> Iterator[_Chunk]:
    for index, target in enumerate(targets):
        unseen.discard(target.id)
        yield _Chunk(target, index)


def _opinions(run: Run, model: Any, also: Any, scorer: ClassScorer) -> list[Opinion]:
    """Gather who else scores the sequences."""
    opinions = []
    config = scorer.engine.model.config
    if scorer.problem_type == "single_label_classification":
        regression = read_saved_regression(model, config.num_labels)
        if regression is not None:
            opinions.append(Opinion("kmers", regression=regression, column=scorer.column))
    if also is not None:
        engine = run.start(also, "sequence-classification")
        scheme = LabelScheme.from_config(engine.model.config)
        if (scheme.problem_type == "regression") != scorer.is_regression:
            raise ValueError(
                "the second model must give what the first one gives, probabilities or values, "
                f"found a model of {scheme.problem_type.replace('_', ' ')}; name another (--also)"
            )
        label = None if scorer.is_only_value else scorer.label
        second = ClassScorer(engine, label=label, both_strands=choose_strands([engine], None))
        opinions.append(Opinion("also", scorer=second))
    return opinions


def _column_of(opinion: Opinion, scorer: ClassScorer) -> str:
    return scorer.columns(f"prob_{opinion.name}")[0]


def _columns(scorer: ClassScorer, opinions: Sequence[Opinion]) -> dict[str, type]:
    names: dict[str, type] = {"id": str, "step": int, "position": int, "ref": str, "alt": str}
    names |= dict.fromkeys(scorer.columns("prob"), float)
    if not scorer.is_regression:
        names |= dict.fromkeys(scorer.columns("log_odds"), float)
    names |= {_column_of(each, scorer): float for each in opinions}
    return {**names, "gc": float, "edits": int, "sequence": str}


def _rows(
    name: str, steps: Sequence[Step], scorer: ClassScorer, opinions: Sequence[Opinion]
) -> Iterator[tuple[Any, ...]]:
    texts = [step.sequence for step in steps]
    said = [each.scores(texts).tolist() for each in opinions]
    for number, step in enumerate(steps):
        n_known = sum(map(step.sequence.count, "ACGT"))
        n_strong = step.sequence.count("G") + step.sequence.count("C")
        n_edits = sum(one != other for one, other in zip(step.sequence, texts[0], strict=True))
        own = [step.prediction] if scorer.is_regression else [step.prediction, step.odds]
        yield (
            *(name, number, step.position, step.ref, step.alt, *own),
            *(each[number] for each in said),
            *(n_strong / n_known, n_edits, step.sequence),
        )


def _designs(rows: Sequence[tuple[Any, ...]], columns: tuple[str, ...]) -> list[Design]:
    """Group the steps: each design begins with step 0."""
    designs: list[Design] = []
    for row in rows:
        step = dict(zip(columns, row, strict=True))
        if step["step"] == 0:
            designs.append(Design(str(step["id"]), []))
        designs[-1].steps.append(step)
    return designs


def _choose_format(output: str | Path, columns: dict[str, type]) -> ResultFormat:
    def make_parquet() -> ResultFormat:
        import pyarrow as pa

        kinds = {str: pa.string(), int: pa.int64(), float: pa.float32()}
        return ParquetFormat(pa.schema([(name, kinds[kind]) for name, kind in columns.items()]))

    return choose_table(output, list(columns), {".parquet": make_parquet})
