"""How long the search for motifs takes once the scores exist, beside the published steps in Python.

    python benchmarks/motifs.py [--sequences 16000] [--lengths 101 300] [--no-plain]

Half of the simulated sequences hold a CTCF site; scores are drawn so that some regions a sequence
stand out, the site more often. The same steps - candidates, counting, test, merging, windows - are
done by `search_motifs` without refinement, by `search_motifs` as it comes, and by plain Python with
an Aho-Corasick automaton (pip install pyahocorasick), SciPy's test and letters compared one by one.
CPU seconds of one core.
"""

import argparse
import time
from collections import Counter, defaultdict

import numpy as np
from scipy.stats import false_discovery_control, hypergeom

from dnabert_hf import MotifSettings, search_motifs
from dnabert_hf.data.building.simulation import CTCF, simulate_binding


def make_data(n: int, length: int) -> tuple[list[str], list[np.ndarray], np.ndarray]:
    """Simulate sequences, scores, and which of them are bound."""
    generator = np.random.default_rng(0)
    simulated = simulate_binding(n, generator, length=length)
    scores = []
    for item in simulated:
        of_kmers = generator.lognormal(0, 1.5, size=length + 5)
        of_kmers[item.start + 5 : item.start + len(CTCF)] *= 3
        of_bases = np.convolve(of_kmers, np.full(6, 1 / 6), mode="valid")
        scores.append((of_bases / np.linalg.norm(of_bases)).astype(np.float32))
    sequences = [item.sequence for item in simulated]
    return sequences, scores, np.array([item.is_bound for item in simulated])


def plain_regions(scores: np.ndarray, min_len: int) -> list[tuple[int, int]]:
    """Runs of high scores, base by base."""
    threshold = max(scores.mean(dtype=np.float64), 10 * float(scores.min()))
    regions, start = [], None
    for position, score in enumerate([*scores.tolist(), 0.0]):
        if score > threshold and position < len(scores):
            start = position if start is None else start
        elif start is not None:
            if position - start >= min_len:
                regions.append((start, position))
            start = None
    return regions


def plain_overlap(leader: str, word: str) -> tuple[int, int]:
    """Best ungapped overlap: score and offset."""
    best = (0, 0)
    for offset in range(1 - len(word), len(leader)):
        low, high = max(offset, 0), min(len(leader), offset + len(word))
        score = sum(leader[i] == word[i - offset] for i in range(low, high))
        if score > best[0]:
            best = (score, offset)
    return best


def plain_search(
    sequences: list[str], scores: list[np.ndarray], is_positive: np.ndarray, min_len: int = 5
) -> tuple[dict[str, float], list[int]]:
    """The published steps: adjusted p-value of each candidate, and instances of each motif."""
    import ahocorasick

    regions = defaultdict(list)
    for row in np.flatnonzero(is_positive).tolist():
        for start, end in plain_regions(scores[row], min_len):
            regions[sequences[row][start:end]].append((row, start, end))
    automaton = ahocorasick.Automaton()
    for word in regions:
        automaton.add_word(word, word)
    automaton.make_automaton()
    held, held_by_positives = Counter(), Counter()
    for sequence, positive in zip(sequences, is_positive.tolist(), strict=True):
        found = {word for _, word in automaton.iter(sequence)}
        held.update(found)
        if positive:
            held_by_positives.update(found)
    words = sorted(regions)
    p_values = [
        hypergeom.sf(held_by_positives[w] - 1, len(sequences), is_positive.sum(), held[w])
        for w in words
    ]
    q_values = dict(zip(words, false_discovery_control(np.clip(p_values, 0, 1)), strict=True))
    rank = dict(zip(words, p_values, strict=True))
    kept = sorted((w for w in words if q_values[w] < 0.005), key=lambda w: (len(w), rank[w], w))
    windows: dict[str, list[tuple[int, int]]] = {}
    for word in kept:
        best = (0, 0, word)
        for leader in windows:
            score, offset = plain_overlap(leader, word)
            needed = max(min_len - 1, min(len(leader), len(word)) / 2)
            if score >= needed and score > best[0]:
                best = (score, offset, leader)
        leader = best[2]
        before = best[1] + (24 - len(leader)) // 2
        windows.setdefault(leader, []).extend(
            (row, start - before) for row, start, _ in regions[word]
        )
    return q_values, sorted(len(each) for each in windows.values() if len(each) >= 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=16_000)
    parser.add_argument("--lengths", type=int, nargs="+", default=[101, 300])
    parser.add_argument("--no-plain", action="store_true", help="leave plain Python out")
    options = parser.parse_args()
    search_motifs(*make_data(100, 50))  # imports and first calls
    for length in options.lengths:
        data = make_data(options.sequences, length)
        print(f"{options.sequences:,} sequences of {length} bases")
        rows = {
            "search_motifs, published steps": MotifSettings(is_refined=False),
            "search_motifs, refined": MotifSettings(),
            "search_motifs, refined, both strands": MotifSettings(both_strands=True),
        }
        for name, settings in rows.items():
            times = []
            for _ in range(3):
                begin = time.process_time()
                found = search_motifs(*data, settings)
                times.append(time.process_time() - begin)
            print(
                f"  {name:<40}{min(times):8.2f} s   {len(found.candidates):,} candidates, "
                f"{len(found.motifs)} motifs",
                flush=True,
            )
            if not settings.is_refined:
                published = found
        if options.no_plain:
            continue
        begin = time.process_time()
        q_values, n_instances = plain_search(*data)
        print(f"  {'plain Python, published steps':<40}{time.process_time() - begin:8.2f} s")
        same = {each.word: each.q_value for each in published.candidates}
        agree = same.keys() == q_values.keys() and np.allclose(
            [same[word] for word in q_values], list(q_values.values()), rtol=1e-6, atol=1e-300
        )
        sizes = sorted(len(motif.sites) for motif in published.motifs)
        print(f"  same candidates and q: {agree}; same motifs: {sizes == n_instances}", flush=True)


if __name__ == "__main__":
    main()
