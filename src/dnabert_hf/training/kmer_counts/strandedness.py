"""Whether the classes of a data set have a strand: told from the data, by counting k-mers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.kmers.counts import count_kmers
from dnabert_hf.data.reading.sequences import reverse_complement

__all__ = ["StrandTest", "find_strand"]

_K = 5
_FOLDS = 5
_MOST = 1000  # sequences of a class: more do not change the answer
_FEWEST = 40  # sequences of a class: fewer cannot give one
_LEAST_Z = 3.5  # one in four thousand by chance
_C = 1e-3


class StrandTest(NamedTuple):
    """How often the strand that a sequence was given in is told from the opposite one.

    Attributes:
        share: Share of the pairs of a sequence and its reverse complement that were put right, of
            the class with the strongest answer; 0.5 is guessing. None if no class is large enough.
        n: Sequences of that class.
        has_strand: Whether the share is beyond chance (3.5 standard errors above one half).
    """

    share: float | None
    n: int
    has_strand: bool


def find_strand(sequences: Sequence[str], labels: Sequence[int], *, seed: int = 0) -> StrandTest:
    """Find out whether sequences of any class differ from their own reverse complements.

    A splice site, a start of transcription or a coding sequence is read in one direction; a binding
    site stands on either strand, so that its sequences look the same from both sides. A logistic
    regression without intercept on the differences of 5-mer counts between a sequence and its
    reverse complement guesses, in five folds, which of the two was given (a forced choice of two;
    chance is one half). On sets of 1,000 sequences it tells 75 to 87 % of splice sites and 57 % of
    core promoters, and none of eight sets of ChIP-seq.

    Args:
        sequences: DNA.
        labels: Class of each sequence, from 0.
        seed: Decides folds and, of large classes, the sequences.

    Returns:
        The answer of the class that gives the strongest one.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> given = ["".join(rng.choice(list("ACGT"), 30)) + "GTAAGT" for _ in range(80)]
        >>> find_strand(given, [0] * 80).has_strand
        True
        >>> turned = [s if i % 2 else reverse_complement(s) for i, s in enumerate(given)]
        >>> find_strand(turned, [0] * 80).has_strand
        False
    """
    rng = np.random.default_rng(seed)
    strongest, best = StrandTest(None, 0, False), -np.inf
    classes = np.asarray(labels)
    for label in np.unique(classes):
        members = rng.permutation(np.flatnonzero(classes == label))[:_MOST]
        if len(members) < _FEWEST:
            continue
        share = _forced_choice([sequences[i] for i in members], rng)
        z = (share - 0.5) * 2 * np.sqrt(len(members))
        if z > best:
            best, strongest = z, StrandTest(share, len(members), bool(z > _LEAST_Z))
    return strongest


def _forced_choice(sequences: Sequence[str], rng: np.random.Generator) -> float:
    """Share of sequences that are told from their reverse complements, in sequences not fitted."""
    from sklearn.linear_model import LogisticRegression

    given = count_kmers(sequences, _K).sqrt()
    opposite = count_kmers([reverse_complement(s) for s in sequences], _K).sqrt()
    differences = (given - opposite).toarray()
    # A k-mer and its reverse complement say the same with opposite signs; both may stay.
    differences /= differences.std(axis=0) + 1e-9
    folds = rng.permutation(len(sequences)) % _FOLDS
    n_right = 0
    for fold in range(_FOLDS):
        fitted = differences[folds != fold]
        signs = rng.permutation(np.arange(len(fitted)) % 2) * 2 - 1
        model = LogisticRegression(C=_C, fit_intercept=False, max_iter=200)
        model.fit(fitted * signs[:, None], signs)
        n_right += int((differences[folds == fold] @ model.coef_[0] > 0).sum())
    return n_right / len(sequences)
