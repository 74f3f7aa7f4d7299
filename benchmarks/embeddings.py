"""What embeddings at work cost, and what they find.

    python benchmarks/embeddings.py [embed] [memory] [nearest] [leaks TABLE]

- embed: CPU seconds of `embed` into memory, .parquet and .h5ad, in turns in one process.
- memory: peak of a process that joins parts of 20,000 and of 80,000 vectors to .h5ad.
- nearest: 1,000 queries among 50,000 vectors of 256 numbers (a mixture of 500 groups): the exact
  search beside scikit-learn's, and graphs of usearch and of faiss (HNSW) with their recall.
- leaks: of TABLE (sequence, split), 600 training sequences, and as a test split 40 copies of them
  with 5 % of the bases replaced, 40 with 10 %, and 120 others: which `find_embedding_leaks` finds.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measuring import random_sequences

from dnabert_hf import embed, find_embedding_leaks, read_records
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.inference.embeddings.embedding_files import EmbeddingSet
from dnabert_hf.inference.embeddings.neighbours import find_exact
from dnabert_hf.inference.output.h5ad import H5adFormat

MODEL = "dnabert-3-mini"
K = 10
ABOUT = {"model": MODEL, "weights": "", "pooling": "mean", "version": ""}


def seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def measure_embed(folder: Path) -> None:
    path = folder / "sequences.fa"
    sequences = random_sequences(600, 101)
    path.write_text("".join(f">r{i}\n{each}\n" for i, each in enumerate(sequences)))
    found: dict[str, list[float]] = {"memory": [], ".parquet": [], ".h5ad": []}
    embed(MODEL, path)
    for _ in range(3):
        for kind, times in found.items():
            output = None if kind == "memory" else folder / f"x{kind}"
            times.append(seconds(lambda o=output: embed(MODEL, path, output=o, overwrite=True)))
    for kind, times in found.items():
        print(f"embed, 600 x 101 bases, {kind}: CPU s {min(times):.2f} (of {len(times)})")


def measure_memory(folder: Path) -> None:
    rng = np.random.default_rng(0)
    block = rng.normal(size=(2000, 768)).astype(np.float32)
    written = H5adFormat(n_dims=768, precision="float32", about=ABOUT)
    parts = []
    for number in range(40):
        rows = [(f"r{number}-{i}", v, "ab"[i % 2], "train") for i, v in enumerate(block)]
        parts.append(folder / f"part-{number}")
        written.write_part(parts[-1], rows)
    for n_parts in (10, 40):
        child = os.fork()
        if child == 0:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            written.join(parts[:n_parts], folder / "x.h5ad")
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            size = (folder / "x.h5ad").stat().st_size / 1e6
            print(
                f"join, {2000 * n_parts:,} vectors of 768 ({size:.0f} MB): peak of the process "
                f"{after / 1e3:.0f} MB, {(after - before) / 1e3:.0f} MB more than before",
                flush=True,
            )
            os._exit(0)
        os.waitpid(child, 0)


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(found, exact, strict=True)]))


def measure_nearest() -> None:
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(0)
    centres = rng.normal(size=(500, 256))

    def draw(n: int) -> np.ndarray:
        drawn = centres[rng.integers(500, size=n)] + rng.normal(size=(n, 256))
        return drawn.astype(np.float32)

    vectors, asked = draw(50_000), draw(1000)
    index = EmbeddingSet("index", [str(i) for i in range(len(vectors))], vectors)
    query = EmbeddingSet("query", [str(i) for i in range(len(asked))], asked)
    exact = np.empty(0)

    def ours() -> None:
        nonlocal exact
        exact = np.concatenate([each.rows for each in find_exact(query, index, K)])

    def sklearn() -> None:
        rows = NearestNeighbors(n_neighbors=K, metric="cosine").fit(vectors).kneighbors(asked)[1]
        assert recall(rows, exact) > 0.9999

    ours()
    for _ in range(2):
        for work in (ours, sklearn):
            print(f"1,000 among 50,000, {work.__name__}: CPU s {seconds(work):.2f}", flush=True)
    graphs(vectors, asked, exact)


def graphs(vectors: np.ndarray, asked: np.ndarray, exact: np.ndarray) -> None:
    import faiss
    from usearch.index import Index

    graph = Index(ndim=256, metric="cos", dtype="f32")
    made = seconds(lambda: graph.add(np.arange(len(vectors)), vectors))
    searched = seconds(lambda: graph.search(asked, K))
    share = recall(graph.search(asked, K).keys, exact)
    print(f"usearch: CPU s to make {made:.1f}, to search {searched:.2f}, recall {share:.3f}")
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    other = faiss.IndexHNSWFlat(256, 16, faiss.METRIC_INNER_PRODUCT)
    other.hnsw.efConstruction, other.hnsw.efSearch = 128, 64  # usearch's defaults
    made = seconds(lambda: other.add(unit))
    searched = seconds(lambda: other.search(asked, K))
    share = recall(other.search(asked, K)[1], exact)
    print(f"faiss-cpu: CPU s to make {made:.1f}, to search {searched:.2f}, recall {share:.3f}")


def measure_leaks(table: str) -> None:
    rng = np.random.default_rng(0)
    records = [each for _, each in zip(range(720), read_records(table), strict=False)]

    def replaced(sequence: str, share: float) -> str:
        letters = np.array(list(sequence))
        at = rng.choice(len(letters), round(share * len(letters)), replace=False)
        letters[at] = ["ACGT"[("ACGT".index(c) + rng.integers(1, 4)) % 4] for c in letters[at]]
        return "".join(letters)

    known = [each for each in records if set(each.sequence) <= set("ACGT")]
    train, others = known[:600], known[600:720]
    copies = {f"{share:.0%} replaced": share for share in (0.05, 0.1)}
    test = [
        SequenceRecord(f"{kind} {i}", replaced(train[i].sequence, share))
        for kind, share in copies.items()
        for i in range(40)
    ]
    kinds = {**copies, "unrelated": 0.0}
    test += [SequenceRecord(f"unrelated {i}", each.sequence) for i, each in enumerate(others)]
    for model in ("dnabert-6-mini",):
        splits = ["train"] * len(train)
        for kind in kinds:
            splits += [kind for each in test if each.id.startswith(kind)]
        found = find_embedding_leaks(model, [*train, *test], splits)
        print(model, *found.lines(), sep="\n")


def main() -> None:
    wanted = sys.argv[1:] or ["embed", "memory", "nearest"]
    with tempfile.TemporaryDirectory() as name:
        if "embed" in wanted:
            measure_embed(Path(name))
        if "memory" in wanted:
            measure_memory(Path(name))
    if "nearest" in wanted:
        measure_nearest()
    if "leaks" in wanted:
        measure_leaks(wanted[wanted.index("leaks") + 1])


if __name__ == "__main__":
    main()
