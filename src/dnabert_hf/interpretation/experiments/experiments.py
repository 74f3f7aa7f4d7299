"""Experiments on a trained model: motifs put in, taken out, paired, and moved along."""

from collections.abc import Sequence
from typing import Any, Literal, Unpack

from dnabert_hf.interpretation.experiments.ablation import Ablations
from dnabert_hf.interpretation.experiments.edits import (
    STRANDS,
    Insertions,
    PairedMotifs,
    Positions,
)
from dnabert_hf.interpretation.experiments.frame import (
    Experiment,
    ExperimentFields,
    ExperimentSource,
    run_experiment,
)
from dnabert_hf.interpretation.experiments.motif import PlacedMotif, read_motif, read_motifs

__all__ = ["experiment_ablate", "experiment_insert", "experiment_scan", "experiment_space"]

_MOST_NAMES = 5

Strand = Literal["+", "-", "both"]
Sites = Literal["sampled", "consensus"]
Replacement = Literal["background", "shuffled"]


def experiment_insert(
    model: Any,
    source: ExperimentSource,
    motifs: str | Sequence[str],
    *,
    position: int | None = None,
    strand: Strand = "+",
    sites: Sites = "sampled",
    **options: Unpack[ExperimentFields],
) -> Experiment:
    """Put motifs into sequences, and see what that does to a model's prediction.

    This is marginalisation: over many backgrounds, what lies around the motif averages out. A motif
    takes the place of the bases that were there, so that the length stays.

    Args:
        model: Folder or Hub repository of a fine-tuned classifier or regression, or a model.
        source: Backgrounds: file of sequences ("-" is standard input), sequences, or
            `RandomSequences`; with a genome its regions, a BED file or intervals, read on their
            strand.
        motifs: Motifs, each alone: IUPAC letters such as "TGASTCA", a MEME or JASPAR file (all of
            its motifs), or "FILE:NAME" (one of them).
        position: First base of the motif (0-based; negative from the end, -20 is 20 before it); by
            default the middle.
        strand: Strand that the motif reads on; "both" does each.
        sites: "sampled" draws a site for each background (from a matrix by its probabilities, from
            an IUPAC code evenly), "consensus" takes the most probable bases of a matrix.
        **options: The fields of `ExperimentFields`, among them output, label, n_shuffles, seed and
            those of `RunOptions`.

    Returns:
        A row for each background, motif and strand: id, shuffle, motif, site, position, strand,
        probability of the class without and with it, change of the log odds; and the mean of each
        motif with its standard error.

    Raises:
        ValueError: If model, source, motif or output cannot be used, or a motif does not fit.
    """
    texts = [motifs] if isinstance(motifs, str) else list(motifs)
    placed = read_motifs(texts)
    plan = Insertions(placed, position, _strands(strand), _checked(sites, placed))
    return run_experiment(
        model,
        source,
        plan,
        options,
        kind="insert",
        about=f"{_names(placed)} in place of {_where(position)}; {_say(sites)}",
        depends_on={"motifs": _digest(placed), "position": position, **_of_sites(strand, sites)},
    )


def experiment_ablate(
    model: Any,
    source: ExperimentSource,
    motif: str | None = None,
    *,
    region: tuple[int, int] | None = None,
    replacement: Replacement = "background",
    n_draws: int = 20,
    **options: Unpack[ExperimentFields],
) -> Experiment:
    """Replace the occurrences of a motif, or a region, and see what the model misses.

    As much is replaced elsewhere in the same sequence, the same number of parts of the same
    lengths: what any change does to the model. The difference of the two is what the motif does.

    Args:
        model: As in `experiment_insert`.
        source: Sequences that have the motif; as in `experiment_insert`.
        motif: Motif to look for on both strands: IUPAC letters, or a matrix ("FILE:NAME") with
            p-values below 0.0001. All occurrences in a sequence are replaced at once; sequences
            without any are counted.
        region: In place of a motif: first base and base after the last one, 0-based. With a genome
            and a flank, and neither motif nor region, each region is replaced.
        replacement: "background" puts the letters in that a dinucleotide shuffle of the whole
            sequence has there, "shuffled" the part itself, its dinucleotides shuffled. What comes
            out as it was is drawn again.
        n_draws: Times that this is done to each sequence.
        **options: As in `experiment_insert`, without n_shuffles.

    Returns:
        A row for each sequence, draw and place ("site", "elsewhere"): id, shuffle, place, spans,
        draw, the scores; and the mean of both places and their difference, with standard errors.

    Raises:
        ValueError: If model, source, motif, region or output cannot be used.
    """
    if motif is not None and region is not None:
        raise ValueError("an ablation is of a motif or of a region, got both; leave one out")
    is_of_regions = options.get("genome") is not None and options.get("flank", 0) > 0
    if motif is None and region is None and not is_of_regions:
        raise ValueError(
            "an ablation needs a motif, a region within the sequences, or regions of a genome with "
            "a flank, got none"
        )
    if n_draws < 1:
        raise ValueError(f"draws must be 1 or more, got {n_draws}")
    if replacement not in ("background", "shuffled"):
        raise ValueError(f"the replacement must be background or shuffled, got {replacement!r}")
    placed = None if motif is None else read_motif(motif)
    if placed is not None:
        placed.find("")  # refuses a matrix that is too short
    what = "regions" if region is None else f"bases {region[0]}-{region[1]} (0-based)"
    what = what if placed is None else f"occurrences of {placed.name}"
    how = "dinucleotide shuffles of themselves"
    if replacement == "background":
        how = "what a dinucleotide shuffle of the sequence has there"
    return run_experiment(
        model,
        source,
        Ablations(placed, region, replacement, n_draws),
        options,
        kind="ablate",
        about=f"{what} replaced by {how}, {n_draws} times each, and as much elsewhere",
        depends_on={
            "motif": None if placed is None else _digest([placed]),
            "region": region,
            "replacement": replacement,
            "n_draws": n_draws,
        },
    )


def experiment_space(
    model: Any,
    source: ExperimentSource,
    motif_a: str,
    motif_b: str,
    *,
    distances: tuple[int, int] = (0, 40),
    position: int | None = None,
    sites: Sites = "sampled",
    **options: Unpack[ExperimentFields],
) -> Experiment:
    """Put two motifs into sequences at all distances, on all strands and in both orders.

    Motif A stays, B moves: to its right (order AB) and to its left (BA), reading on either strand.
    The interaction is what both together change beyond what each changes alone, at the same place
    (in log odds: 0 where two motifs count each for itself).

    Args:
        model: As in `experiment_insert`.
        source: As in `experiment_insert`.
        motif_a: Motif that stays: IUPAC letters, or "FILE:NAME".
        motif_b: Motif that moves.
        distances: Fewest and most bases between the two. What does not fit into a sequence is left
            out.
        position: First base of motif A (0-based; negative from the end); by default the middle.
        sites: As in `experiment_insert`; a background has the same two sites at all distances.
        **options: As in `experiment_insert`.

    Returns:
        A row for each background, order, strands and distance: id, shuffle, order, strand_a,
        strand_b, distance, the sites and where they begin, the probability without motifs, with A,
        with B, and with both, change of the log odds, interaction; and the means.

    Raises:
        ValueError: If model, source, motif or output cannot be used, or no distance fits.
    """
    least, most = distances
    if not 0 <= least <= most:
        raise ValueError(f"distances must be from 0 upwards, the fewest first, got {least}-{most}")
    a, b = placed = [read_motif(motif_a), read_motif(motif_b)]
    plan = PairedMotifs(a, b, position, range(least, most + 1), _checked(sites, placed))
    return run_experiment(
        model,
        source,
        plan,
        options,
        kind="space",
        about=f"A is {a.name}, in place of {_where(position)}, B is {b.name}, "
        f"{least} to {most} bases away; {_say(sites)}",
        depends_on={
            "motifs": _digest(placed),
            "distances": distances,
            "position": position,
            "sites": sites,
        },
    )


def experiment_scan(
    model: Any,
    source: ExperimentSource,
    motif: str,
    *,
    step: int = 1,
    strand: Strand = "both",
    sites: Sites = "sampled",
    **options: Unpack[ExperimentFields],
) -> Experiment:
    """Put a motif at every position of sequences: where does it count, and on which strand?

    Args:
        model: As in `experiment_insert`.
        source: As in `experiment_insert`.
        motif: IUPAC letters, or "FILE:NAME".
        step: Bases from a position to the next.
        strand: Strand that the motif reads on; "both" does each.
        sites: As in `experiment_insert`; a background has the same site at all positions.
        **options: As in `experiment_insert`.

    Returns:
        A row for each background, position and strand: id, shuffle, site, position, strand, the
        scores; and the mean of each position and strand.

    Raises:
        ValueError: If model, source, motif or output cannot be used, or the motif is longer than a
            sequence.
    """
    if step < 1:
        raise ValueError(f"the step must be 1 or more, got {step}")
    placed = read_motif(motif)
    plan = Positions(placed, step, _strands(strand), _checked(sites, [placed]))
    return run_experiment(
        model,
        source,
        plan,
        options,
        kind="scan",
        about=f"{placed.name} at every position{f', step {step}' * (step > 1)}; {_say(sites)}",
        depends_on={"motif": _digest([placed]), "step": step, **_of_sites(strand, sites)},
    )


def _strands(strand: str) -> tuple[str, ...]:
    if strand not in (*STRANDS, "both"):
        raise ValueError(f"the strand must be +, - or both, got {strand!r}")
    return STRANDS if strand == "both" else (strand,)


def _checked(sites: str, motifs: Sequence[PlacedMotif]) -> str:
    if sites not in ("sampled", "consensus"):
        raise ValueError(f"sites must be sampled or consensus, got {sites!r}")
    if sites == "consensus":
        for motif in motifs:
            motif.check_consensus()
    return sites


def _say(sites: str) -> str:
    if sites == "consensus":
        return "consensus sites"
    return "sites of matrices and ambiguous letters are sampled"


def _where(position: int | None) -> str:
    return "the middle" if position is None else f"the bases from {position} on (0-based)"


def _names(motifs: Sequence[PlacedMotif]) -> str:
    if len(motifs) > _MOST_NAMES:
        return f"each of {len(motifs)} motifs"
    return ", ".join(each.name for each in motifs)


def _of_sites(strand: str, sites: str) -> dict[str, object]:
    return {"strand": strand, "sites": sites}


def _digest(motifs: Sequence[PlacedMotif]) -> str:
    """Tell motifs from others, for a run that goes on."""
    return repr([(each.name, each.letters, each.probabilities.tolist()) for each in motifs])
