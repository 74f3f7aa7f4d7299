"""Motifs one after the other: each begins as a gapped word, and its sites are then taken out.

As in MEME and STREME (Bailey 2021), what a motif explains is taken out before the next one is looked
for, so that motifs neither blend nor come twice.
"""

from collections.abc import Sequence

import numpy as np

from dnabert_hf.data.reading.sequence_array import JoinedSequences
from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix, count_bases
from dnabert_hf.interpretation.motifs.matrices.similarity import TargetMotifs, compare_with_targets
from dnabert_hf.interpretation.motifs.matrices.sites import AttendedDNA, Sites, cut_windows, refine
from dnabert_hf.interpretation.motifs.matrices.splitting import split_windows
from dnabert_hf.interpretation.motifs.results import MotifSettings
from dnabert_hf.interpretation.motifs.words.gapped import (
    GappedWord,
    count_gapped_words,
    enriched_gapped_words,
    gapped_words_at,
    turned_word,
)

__all__ = ["discover_motifs", "is_same"]

_LONGEST_GAP = 12
_MOST_MOTIFS = 50
_MOST_FAILURES = 10  # in a row
_SAME_P = 1e-3  # chance of such a likeness of two motifs from which down they are one
_OTHER_BASE = 0.4  # probability that sits on other bases where two positions differ
_MOST_SPLITS = 4
_BITS_LESS = 4.0  # what one base that is off costs: such sites are taken out too
_N_RANDOM_COLUMNS = 2000


def discover_motifs(
    attended: AttendedDNA,
    others: JoinedSequences,
    background: np.ndarray,
    settings: MotifSettings,
) -> list[PositionWeightMatrix]:
    """Find motifs in attended DNA that other sequences do not hold as often.

    The gapped word that is most enriched begins a motif: its occurrences are aligned, counted, and
    refined. What the motif explains is taken out, and the next word is looked for in the rest.

    Args:
        attended: DNA of the class that the model looks at, or a sample of it.
        others: Sequences that are not of the class, or a sample of them.
        background: Probabilities of A, C, G and T, shape (4,).
        settings: How to search.

    Returns:
        Different motifs, in the order in which they were found.
    """
    n_gaps = max(min(_LONGEST_GAP, settings.window - len(GappedWord(0, 0))), 0) + 1
    counting = {"n_gaps": n_gaps, "both_strands": settings.both_strands}
    of_others = count_gapped_words(others, np.arange(len(others.codes)), others.n_known, **counting)
    left, found, failures = attended, [], 0
    while len(found) < _MOST_MOTIFS and failures < _MOST_FAILURES:
        if not len(left.places[0]):
            break
        holders = count_gapped_words(left.joined, *left.places, **counting)
        words, _ = enriched_gapped_words(
            holders, of_others, max_p=settings.max_q, min_holders=settings.min_instances
        )
        if not words:
            break
        occurrences = _occurrences(words[0], left)
        windows = _windows(occurrences, words[0], left.joined, settings.window)
        refined = _refined(windows, background, left, settings)
        if refined is None or is_same(refined, found, both_strands=settings.both_strands):
            failures += 1
            low = occurrences.places - np.where(occurrences.is_reverse, len(words[0]) - 1, 0)
            left = left.without(low, len(words[0]))
            continue
        matrix, failures = refined, 0
        found.append(matrix)
        sites = left.sites(matrix, bits_less=_BITS_LESS)
        low = sites.places - np.where(sites.is_reverse, len(matrix) - 1, 0)
        left = left.without(low, len(matrix))
    return found


def _refined(
    windows: np.ndarray, background: np.ndarray, left: AttendedDNA, settings: MotifSettings
) -> PositionWeightMatrix | None:
    """Make a matrix of windows: of one motif, though they may be of several."""
    refined = refine(
        _of_one_motif(windows, background), background, left, min_sites=settings.min_instances
    )
    if refined is None:
        return None
    matrix, sites = refined
    margin = (settings.window - len(matrix)) // 2
    windows = cut_windows(left.joined, sites.moved(margin), settings.window)
    shared = slice(margin, margin + len(matrix))
    for _ in range(_MOST_SPLITS):
        is_second = split_windows(windows[:, shared])
        if is_second is None:
            break
        parts = sorted([windows[is_second], windows[~is_second]], key=len)
        if len(parts[0]) < settings.min_instances:
            break
        matrices = [PositionWeightMatrix(count_bases(part), background) for part in parts]
        if not _are_different(*(each.probabilities[shared] for each in matrices), offset=0):
            break
        windows = parts[1]
        matrix = matrices[1].part(matrices[1].informative_part())
    return matrix


def _of_one_motif(windows: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Take windows of one motif out of those of several and of chance."""
    for _ in range(_MOST_SPLITS):
        is_second = split_windows(windows)
        if is_second is None:
            break
        parts = [windows[is_second], windows[~is_second]]
        bits = [
            len(part) * PositionWeightMatrix(count_bases(part), background).information.sum()
            for part in parts
        ]
        windows = parts[int(np.argmax(bits))]
    return windows


def is_same(
    matrix: PositionWeightMatrix, others: Sequence[PositionWeightMatrix], *, both_strands: bool
) -> bool:
    """Tell whether a motif is one of others.

    It is if it is more like it than chance explains, and if most positions that lie on each other
    ask for much the same bases: motifs that share half of their positions are two.
    """
    for other in others:
        query, target = sorted([matrix.probabilities, other.probabilities], key=len)
        targets = TargetMotifs(
            [target], both_strands=both_strands, random_columns=_random_columns()
        )
        found = compare_with_targets(query, targets)
        if found.p_values[0] < _SAME_P:
            turned = target[::-1, ::-1] if found.is_reverse[0] else target
            if not _are_different(query, turned, int(found.offsets[0])):
                return True
    return False


def _are_different(query: np.ndarray, target: np.ndarray, offset: int) -> bool:
    """Tell whether a third of the positions that lie on each other have other bases."""
    target = target[max(offset, 0) : offset + len(query)]
    query = query[max(-offset, 0) :][: len(target)]
    moved = np.abs(query - target).sum(axis=1) / 2  # probability that sits on other bases
    return bool((moved > _OTHER_BASE).sum() * 3 >= len(moved))


def _random_columns() -> np.ndarray:
    """Draw columns such as motifs have, from sharp to flat, of all bases alike."""
    generator = np.random.default_rng(0)
    return np.concatenate(
        [
            generator.dirichlet(np.full(4, weight), size=_N_RANDOM_COLUMNS // 4)
            for weight in (0.05, 0.2, 0.5, 2.0)
        ]
    )


def _occurrences(word: GappedWord, attended: AttendedDNA) -> Sites:
    """Find a gapped word in attended DNA."""
    joined, (places, room) = attended.joined, attended.places
    places = places[room >= len(word)]
    codes = gapped_words_at(joined, places, word.gap)
    is_forward = codes == word.code
    is_reverse = np.zeros_like(is_forward)
    if attended.both_strands:
        is_reverse = (codes == turned_word(word.code)) & ~is_forward
    is_here = is_forward | is_reverse
    places, is_reverse = places[is_here], is_reverse[is_here]
    first = places + np.where(is_reverse, len(word) - 1, 0)
    rows = joined.rows[places].astype(np.int64)
    return Sites(rows, first, is_reverse, np.zeros(len(rows), dtype=np.float32))


def _windows(
    occurrences: Sites, word: GappedWord, joined: JoinedSequences, length: int
) -> np.ndarray:
    """Cut windows with the word in the middle."""
    return cut_windows(joined, occurrences.moved((length - len(word)) // 2), length)
