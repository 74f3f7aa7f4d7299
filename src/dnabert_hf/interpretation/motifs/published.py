"""Motifs as published: clusters of words, and the plain count of a window around each.

The rules are those of DNABERT-viz (Ji et al. 2021).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.reading.sequence_array import JoinedSequences
from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix, count_bases
from dnabert_hf.interpretation.motifs.matrices.sites import Sites, cut_windows
from dnabert_hf.interpretation.motifs.results import MotifSettings
from dnabert_hf.interpretation.motifs.words.merging import merge_words
from dnabert_hf.interpretation.motifs.words.regions import Regions

__all__ = ["WordClusters", "count_windows"]


class WordClusters(NamedTuple):
    """Clusters of enriched words.

    Attributes:
        of_word: Cluster of each word (-1: none), int64, shape (words,).
        offsets: Base of the first word of its cluster on which each begins, int64, shape (words,).
        is_reverse: Whether the reverse complement of each is meant, shape (words,).
        first_lengths: Bases of the first word of each cluster.
    """

    of_word: np.ndarray
    offsets: np.ndarray
    is_reverse: np.ndarray
    first_lengths: list[int]

    @classmethod
    def merge(
        cls, words: Sequence[str], enriched: np.ndarray, settings: MotifSettings
    ) -> "WordClusters":
        """Merge the enriched ones of some words.

        Args:
            words: All words.
            enriched: Indices of the enriched ones, best first.
            settings: How to search.
        """
        placements = merge_words(
            [words[index] for index in enriched.tolist()],
            min_len=settings.min_len,
            both_strands=settings.both_strands,
        )
        of_word = np.full(len(words), -1, dtype=np.int64)
        offsets, is_reverse = np.zeros_like(of_word), np.zeros(len(words), dtype=bool)
        lengths: dict[int, int] = {}
        for index, place in zip(enriched.tolist(), placements, strict=True):
            of_word[index], offsets[index], is_reverse[index] = place
        for index in sorted(enriched.tolist(), key=lambda index: len(words[index])):
            lengths.setdefault(int(of_word[index]), len(words[index]))
        return cls(of_word, offsets, is_reverse, [lengths[each] for each in sorted(lengths)])


def count_windows(
    clusters: WordClusters,
    joined: JoinedSequences,
    regions: Regions,
    word_of_region: np.ndarray,
    is_turned: np.ndarray,
    background: np.ndarray,
    settings: MotifSettings,
) -> list[tuple[int, PositionWeightMatrix, Sites]]:
    """Cut a window around each region of a cluster, and count its bases.

    Args:
        clusters: Clusters of words.
        joined: Sequences of the class.
        regions: Regions in them.
        word_of_region: Word of each region, shape (regions,).
        is_turned: Whether it stands there as its reverse complement, shape (regions,).
        background: Probabilities of A, C, G and T, shape (4,).
        settings: How to search.

    Returns:
        Number, matrix and windows of each cluster of at least `min_instances` regions.
    """
    found = []
    of_region = clusters.of_word[word_of_region]
    for cluster, length in enumerate(clusters.first_lengths):
        chosen = np.flatnonzero(of_region == cluster)
        if len(chosen) < settings.min_instances:
            continue
        rows, starts, ends = (part[chosen] for part in regions)
        words = word_of_region[chosen]
        is_reverse = is_turned[chosen] ^ clusters.is_reverse[words]
        skipped = clusters.offsets[words] + (settings.window - length) // 2
        first = joined.bounds[rows] + np.where(is_reverse, ends - 1, starts)
        places = first + np.where(is_reverse, skipped, -skipped)
        windows = Sites(rows, places, is_reverse, np.zeros(len(rows), dtype=np.float32))
        codes = cut_windows(joined, windows, settings.window)
        matrix = PositionWeightMatrix(count_bases(codes), background)
        bits = np.column_stack([matrix.log_odds, np.zeros(len(matrix))])  # unknown bases: 0
        scores = bits[np.arange(len(matrix)), codes].sum(axis=1)
        found.append((cluster, matrix, windows._replace(scores=scores.astype(np.float32))))
    return found
