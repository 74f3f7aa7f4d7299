"""Whether unrelated motifs that are planted and attended come out each as a motif of its own.

    python benchmarks/motifs_planted.py [--motifs 2 4 6 8] [--seeds 20] [--sequences 900]

Each sequence of the class (900, and 900 others, 101 bp, 41 % GC) holds one of the motifs: words of
6 to 16 bases, of which each base is off with a probability of 5 to 15 %. Scores stand for a model:
"clean" ones are high at the site and low, with noise, elsewhere; "imperfect" ones cover one half of
the site, miss a fifth of the sites, and are high at two false places in each sequence of both
classes.

A planted motif is found if a reported one gives its bases a probability of 0.7 on average (a blend
of two that share half of their bases gives 0.65), has sites at a third of its attended places, and
three quarters of its sites at planted places are there. A reported motif that is no planted one, or
is one that another one was already, counts as false. Precision: share of the sites of motifs that
lie at places of the motif that they are; chance matches in attended DNA make up the rest.
"""

import argparse
import time
from typing import NamedTuple

import numpy as np

from dnabert_hf import MotifSearch, MotifSettings, search_motifs

BASES = np.array(list("ACGT"))
BACKGROUND = np.array([0.295, 0.205, 0.205, 0.295])
LENGTH = 101


class Planted(NamedTuple):
    """Simulated data: sequences, scores, classes; motif and first base of the site of each row."""

    sequences: list[str]
    scores: list[np.ndarray]
    is_positive: np.ndarray
    motif_of_row: np.ndarray
    start_of_row: np.ndarray
    words: list[np.ndarray]
    is_seen: np.ndarray


class Judgement(NamedTuple):
    """Motifs found, reported ones that are false, precision of each that was found, and notes."""

    n_found: int
    n_false: int
    precisions: list[float]
    notes: list[str]


def are_related(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether more than two thirds of the shorter word are equal somewhere, on either strand."""
    for strand in (other, 3 - other[::-1]):
        for offset in range(1 - len(strand), len(one)):
            left = one[max(offset, 0) : offset + len(strand)]
            right = strand[max(-offset, 0) :][: len(left)]
            if (left == right).sum() > 2 / 3 * min(len(one), len(strand)):
                return True
    return False


def draw_words(n: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Draw unrelated words of 6 to 16 bases."""
    words: list[np.ndarray] = []
    while len(words) < n:
        word = generator.integers(0, 4, size=generator.integers(6, 17))
        if not any(are_related(word, other) for other in words):
            words.append(word)
    return words


def plant(n_motifs: int, seed: int, *, is_imperfect: bool, both_strands: bool, n: int) -> Planted:
    """Simulate n sequences of each class, motifs in those of the first, and scores."""
    generator = np.random.default_rng(seed)
    words = draw_words(n_motifs, generator)
    share_off = generator.uniform(0.05, 0.15, size=n_motifs)
    codes = generator.choice(4, p=BACKGROUND, size=(2 * n, LENGTH))
    scores = generator.uniform(0.01, 0.1, size=codes.shape)
    motif_of_row = np.where(np.arange(2 * n) < n, generator.integers(0, n_motifs, 2 * n), -1)
    start_of_row = np.full(2 * n, -1)
    is_seen = np.zeros(2 * n, dtype=bool)
    for row, motif in enumerate(motif_of_row.tolist()):
        if is_imperfect:
            for _ in range(2):
                start = generator.integers(0, LENGTH - 12)
                scores[row, start : start + generator.integers(5, 13)] = generator.uniform(0.5, 1)
        if motif < 0:
            continue
        word = words[motif]
        is_off = generator.random(len(word)) < share_off[motif]
        site = np.where(is_off, (word + generator.integers(1, 4, len(word))) % 4, word)
        if both_strands and generator.random() < 0.5:
            site = 3 - site[::-1]
        start = start_of_row[row] = generator.integers(0, LENGTH - len(word) + 1)
        codes[row, start : start + len(word)] = site
        is_seen[row] = not is_imperfect or generator.random() < 0.8
        if is_seen[row]:
            low, high = start, start + len(word)
            if is_imperfect:
                half = max(len(word) // 2, 5)
                low, high = (low, low + half) if generator.random() < 0.5 else (high - half, high)
            scores[row, low:high] = generator.uniform(0.8, 1.2, size=high - low)
    sequences = ["".join(row) for row in BASES[codes]]
    is_positive = motif_of_row >= 0
    return Planted(sequences, list(scores), is_positive, motif_of_row, start_of_row, words, is_seen)


def probability_of(word: np.ndarray, matrix: np.ndarray, *, both_strands: bool) -> float:
    """Mean probability of a word's bases where it lies best on a matrix; beside it, a quarter."""
    best = 0.0
    for strand in (word, 3 - word[::-1]) if both_strands else (word,):
        for offset in range(1 - len(strand), len(matrix)):
            columns = matrix[max(offset, 0) : offset + len(strand)]
            bases = strand[max(-offset, 0) :][: len(columns)]
            total = columns[np.arange(len(bases)), bases].sum()
            best = max(best, (total + 0.25 * (len(strand) - len(bases))) / len(strand))
    return best


def judge(found: MotifSearch, data: Planted, *, both_strands: bool) -> Judgement:
    """Count planted motifs found and reported ones that are false; and a note on each."""
    is_found = [False] * len(data.words)
    n_false, precisions, notes = 0, [], []
    lengths = [len(word) for word in data.words]
    for motif in found.motifs:
        at = np.zeros(len(lengths))
        for site in motif.sites:
            planted, start = data.motif_of_row[site.row], data.start_of_row[site.row]
            shared = min(site.end, start + lengths[planted]) - max(site.start, start)
            at[planted] += 2 * shared >= min(site.end - site.start, lengths[planted])
        best = int(at.argmax())
        n_seen = int((data.is_seen & (data.motif_of_row == best)).sum())
        matrix = motif.matrix.probabilities
        likeness = probability_of(data.words[best], matrix, both_strands=both_strands)
        is_it = likeness >= 0.7 and at[best] >= n_seen / 3 and at[best] >= 0.75 * at.sum()
        notes.append(
            f"{motif.matrix.consensus} {len(motif.sites)} sites: planted {best}, {at[best]:.0f} of "
            f"{n_seen}, {at.sum():.0f} at any, {likeness:.2f}{' again' * is_found[best]}"
        )
        if is_it and not is_found[best]:
            is_found[best] = True
            precisions.append(at[best] / len(motif.sites))
        else:
            n_false += 1
    return Judgement(sum(is_found), n_false, precisions, notes)


def run(
    n_motifs: int, attention: str, strands: str, options: argparse.Namespace
) -> tuple[list[Judgement], list[float], float]:
    """Search the data of each seed: judgements, unexplained shares, and CPU seconds a search."""
    both_strands = strands == "both"
    judged, unexplained, seconds = [], [], 0.0
    for seed in range(options.seeds):
        is_imperfect = attention == "imperfect"
        n = options.sequences
        data = plant(n_motifs, seed, is_imperfect=is_imperfect, both_strands=both_strands, n=n)
        begin = time.process_time()
        found = search_motifs(*data[:3], MotifSettings(both_strands=both_strands))
        seconds += time.process_time() - begin
        judged.append(judge(found, data, both_strands=both_strands))
        unexplained.append(found.unexplained_share)
        if options.notes and (judged[-1].n_found < n_motifs or judged[-1].n_false):
            print(
                seed, ["".join(BASES[word]) for word in data.words], *judged[-1].notes, sep="\n  "
            )
    return judged, unexplained, seconds / options.seeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--motifs", type=int, nargs="+", default=[2, 4, 6, 8])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--sequences", type=int, default=900, help="of each class")
    parser.add_argument("--attention", nargs="+", default=["clean", "imperfect"])
    parser.add_argument("--strands", nargs="+", default=["one", "both"])
    parser.add_argument("--notes", action="store_true", help="each motif where one is missed")
    options = parser.parse_args()
    print(
        "| attention | strands | motifs | found | false of reported | precision | unexplained | s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for attention in options.attention:
        for strands in options.strands:
            for n_motifs in options.motifs:
                judged, unexplained, seconds = run(n_motifs, attention, strands, options)
                n_found = sum(each.n_found for each in judged)
                n_false = sum(each.n_false for each in judged)
                n_reported = sum(len(each.notes) for each in judged)
                precision = np.mean([share for each in judged for share in each.precisions])
                print(
                    f"| {attention} | {strands} | {n_motifs} | "
                    f"{n_found / (n_motifs * options.seeds):.3f} | "
                    f"{n_false / max(n_reported, 1):.3f} ({n_false} of {n_reported}) | "
                    f"{precision:.2f} | {np.mean(unexplained):.2f} | {seconds:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
