"""Evaluation of a masked language model on masked bases, beside Markov baselines."""

import copy
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
import torch

from dnabert_hf.data.genome.genome import Genome, open_genome
from dnabert_hf.data.genome.regions import intersect_regions, parse_region, subtract_regions
from dnabert_hf.data.masking.markov_baselines import (
    CONTEXT_COUNTS,
    FLANK,
    MARKOV_BOTH_SIDES,
    MARKOV_LEFT,
    BaseStatistics,
)
from dnabert_hf.data.masking.masked_bases import (
    MaskedBases,
    MaskedBaseScores,
    choose_masked_bases,
    score_bases,
)
from dnabert_hf.files.atomic import write_json
from dnabert_hf.inference.engine.checkpoint import Checkpoint, as_checkpoint
from dnabert_hf.inference.masked_lm_scores import ModelScores, score_model
from dnabert_hf.inference.output.writer import check_output
from dnabert_hf.inference.run import RunFields, RunOptions

__all__ = ["MaskedLMEvaluation", "evaluate_masked_lm"]

logger = logging.getLogger(__name__)

GenomeSource = str | Path | Sequence[str | Path]

_CHUNK_CONTEXTS = 1 << 15
_BASELINES = {
    CONTEXT_COUNTS: "counts of {} bases on either side",
    MARKOV_BOTH_SIDES: "Markov order {}, both sides",
    MARKOV_LEFT: "Markov order {}, left",
}


class MaskedLMEvaluation(NamedTuple):
    """Scores of a masked language model and of what it has to beat, on the same masked bases.

    Attributes:
        n_bases: Bases that were masked, each alone; the masked k-mers are k times as many.
        n_windows: Windows that they lie in.
        model: Scores of the model.
        untrained: Scores of the same network from random weights, if asked for.
        baselines: By name, scores of counts of the training DNA, if there is some. Of each kind
            the best size *on the bases scored here* is taken, which favours the baselines.
    """

    n_bases: int
    n_windows: int
    model: ModelScores
    untrained: ModelScores | None
    baselines: dict[str, MaskedBaseScores]

    def rows(self) -> dict[str, dict[str, float]]:
        """Give all scores as a table: by name of the model or baseline, scores by their names."""
        models = {"model": self.model, "random weights": self.untrained}
        table = {
            name: {**scores.bases._asdict(), **scores.of_kmers()}
            for name, scores in models.items()
            if scores is not None
        }
        return table | {name: scores._asdict() for name, scores in self.baselines.items()}


def evaluate_masked_lm(
    model: Any,
    sources: GenomeSource,
    *,
    output: str | Path | None = None,
    regions: Sequence[str] | None = None,
    train: GenomeSource | None = None,
    untrained: bool = False,
    n_windows: int | None = 2000,
    seed: int = 42,
    **options: Unpack[RunFields],
) -> MaskedLMEvaluation:
    """Hide single bases of a genome and score what a model says of each.

    All k k-mers over a masked base become [MASK], some 15 % of all k-mers; the same ones for every
    model of the same k and length. Each of them votes by the four k-mers that agree with its
    visible bases; the base gets the geometric mean.

    Args:
        model: Checkpoint folder, repository id on the Hub, or a model, which is not changed.
        sources: FASTA files of the genome, plain, gzip or bgzip.
        output: JSON file to write the scores to.
        regions: Parts to score: names of contigs or "contig:start-end", 0-based half-open; None
            takes all. The model should not have been trained on them.
        train: FASTA files with the DNA to count for the baselines. What is scored is left out of
            it where it holds the same contigs of the same files.
        untrained: Whether to score the same network from random weights too.
        n_windows: Windows of 510 k-mers to score, evenly spread (each has 12 masked bases at
            k = 6); None takes all.
        seed: Decides which bases are masked, and the random weights.
        **options: The fields of `RunOptions`; there are no shards and columns.

    Returns:
        The scores.

    Raises:
        ValueError: If model, genome, regions or output cannot be used, or no DNA is left to score
            or to count.
    """
    running = RunOptions.of(options, excluded=["shard", "columns", "skip_short"])
    if output is not None:
        check_output(output, overwrite=running.overwrite)
    checkpoint = as_checkpoint(model, running.tokenizer, task="masked-lm")
    config = checkpoint.model.config
    genome = open_genome(sources)
    scored = _find_regions(genome, regions)
    masked = choose_masked_bases(
        _stretches(genome, intersect_regions(genome.runs, scored)),
        k=config.k,
        n_kmers=config.max_position_embeddings - 2,
        n_windows=n_windows,
        seed=seed,
    )
    # The counts first: they take seconds, and find out whether there is DNA to count.
    baselines = {}
    if train is not None:
        baselines = _score_baselines(_training_dna(train, genome, scored), genome.codes, masked)
    checkpoints = [checkpoint]
    if untrained:
        checkpoints.append(_randomise(checkpoint, seed))
    scores = [score_model(running.start(each), genome.codes, masked) for each in checkpoints]
    evaluation = MaskedLMEvaluation(
        n_bases=len(masked.positions),
        n_windows=len(masked.starts),
        model=scores[0],
        untrained=scores[1] if untrained else None,
        baselines=baselines,
    )
    if output is not None:
        origin = {"sources": _names(sources), "regions": regions, "seed": seed}
        origin |= {"train": None if train is None else _names(train), "model": checkpoint.name}
        _write(Path(output), evaluation, origin)
    return evaluation


def _names(sources: GenomeSource) -> list[str]:
    return [str(s) for s in ([sources] if isinstance(sources, str | Path) else sources)]


def _find_regions(genome: Genome, regions: Sequence[str] | None) -> np.ndarray:
    if regions is None:
        return np.array([[i, 0, contig.length] for i, contig in enumerate(genome.contigs)])
    if isinstance(regions, str):
        raise TypeError(f"regions must be a list of texts, got the text {regions!r}; put it in one")
    if not regions:
        raise ValueError("regions must name a part of the genome, got an empty list; use None")
    return np.array([parse_region(text, genome) for text in regions])


def _stretches(genome: Genome, runs: np.ndarray) -> np.ndarray:
    """Place runs in the array of codes: start and end, shape (runs, 2)."""
    return genome.offsets[runs[:, 0], None] + runs[:, 1:]


def _training_dna(train: GenomeSource, genome: Genome, scored: np.ndarray) -> list[np.ndarray]:
    training = open_genome(train)
    offsets = {
        (Path(contig.file).resolve(), contig.name): i for i, contig in enumerate(training.contigs)
    }
    contigs = [(Path(contig.file).resolve(), contig.name) for contig in genome.contigs]
    left_out = [
        (offsets[contigs[index]], start, end)
        for index, start, end in scored.tolist()
        if contigs[index] in offsets
    ]
    runs = subtract_regions(training.runs, np.array(left_out, dtype=np.int64))
    if not len(runs):
        raise ValueError(
            "the DNA to count must go beyond what is scored, found nothing else in "
            f"{', '.join(_names(train))}; name regions to score, or other files to count"
        )
    if left_out:
        n_bases = int((training.runs[:, 1:] @ [-1, 1]).sum() - (runs[:, 1:] @ [-1, 1]).sum())
        logger.info("%d bases to be scored are not counted for the baselines", n_bases)
    return [training.codes[start:end] for start, end in _stretches(training, runs).tolist()]


def _score_baselines(
    runs: Sequence[np.ndarray], codes: np.ndarray, masked: MaskedBases
) -> dict[str, MaskedBaseScores]:
    statistics = BaseStatistics(runs)
    offsets = np.arange(-FLANK, FLANK + 1)
    chunks = [
        statistics.probabilities(codes[positions[:, None] + offsets] & 3)
        for positions in np.split(
            masked.positions, range(_CHUNK_CONTEXTS, len(masked.positions), _CHUNK_CONTEXTS)
        )
    ]
    truth = codes[masked.positions] & 3
    by_kind = {
        kind: [
            score_bases(np.log(np.concatenate(parts)), truth, masked.windows)
            for parts in zip(*(chunk[kind] for chunk in chunks), strict=True)
        ]
        for kind in _BASELINES
    }
    scores = {}
    for kind, name in _BASELINES.items():
        # Size 0, without any neighbour, is the composition.
        size, best = min(enumerate(by_kind[kind][1:], 1), key=lambda item: item[1].bits_per_base)
        scores[name.format(size)] = best
    return scores | {"base composition": by_kind[MARKOV_LEFT][0]}


def _randomise(checkpoint: Checkpoint, seed: int) -> Checkpoint:
    """Give the same network from random weights, without touching the caller's random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = type(checkpoint.model)(copy.deepcopy(checkpoint.model.config))
    return Checkpoint(model, checkpoint.tokenizer, "random weights", is_ours=True)


def _write(path: Path, evaluation: MaskedLMEvaluation, origin: dict[str, Any]) -> None:
    sizes = {"n_windows": evaluation.n_windows, "n_bases": evaluation.n_bases}
    content = {**origin, **sizes, "scores": evaluation.rows()}
    write_json(content, path)
