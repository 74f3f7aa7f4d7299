"""Neighbours beside scikit-learn's and a loop of plain NumPy; files, and what is refused."""

import csv
import json

import anndata
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn.neighbors import NearestNeighbors

from dnabert_hf.inference.embed import embed
from dnabert_hf.inference.embeddings import neighbours
from dnabert_hf.inference.embeddings.embedding_files import EmbeddingSet, read_embeddings
from dnabert_hf.inference.embeddings.nearest import nearest
from dnabert_hf.inference.embeddings.neighbours import find_approximate, find_exact


def set_of(vectors, name="a"):
    return EmbeddingSet(name, [f"r{i}" for i in range(len(vectors))], vectors)


@pytest.fixture
def vectors():
    return np.random.default_rng(0).normal(size=(230, 12)).astype(np.float32)


@pytest.mark.parametrize(("query_rows", "index_rows"), [(1024, 8192), (64, 50)])
@pytest.mark.parametrize("k", [1, 5, 229])
def test_neighbours_are_those_of_scikit_learn(vectors, monkeypatch, query_rows, index_rows, k):
    monkeypatch.setattr(neighbours, "_QUERY_ROWS", query_rows)
    monkeypatch.setattr(neighbours, "_INDEX_ROWS", index_rows)
    index, asked = set_of(vectors), set_of(vectors[:90] + 0.1)
    for query in (asked, index):
        reference = NearestNeighbors(n_neighbors=k, metric="cosine").fit(vectors)
        # None leaves each row out of its own neighbours.
        distances, rows = reference.kneighbors(None if query is index else query.vectors)
        found = list(find_exact(query, index, k))
        np.testing.assert_array_equal(np.concatenate([each.rows for each in found]), rows)
        similarities = np.concatenate([each.similarities for each in found])
        np.testing.assert_allclose(similarities, 1 - distances, atol=1e-6)


def test_of_equal_vectors_the_first_comes_first(monkeypatch):
    monkeypatch.setattr(neighbours, "_INDEX_ROWS", 4)
    vectors = np.array([[1, 0], [0, 1]] * 8, dtype=np.float32)
    (found,) = find_exact(set_of(vectors[:2]), set_of(vectors), 3)
    assert found.rows.tolist() == [[0, 2, 4], [1, 3, 5]]


def test_a_graph_finds_nearly_all_of_them(vectors):
    index = set_of(vectors)
    exact = np.concatenate([each.rows for each in find_exact(index, index, 5)])
    (found,) = find_approximate(index, index, 5)
    assert not (found.rows == np.arange(230)[:, None]).any()
    shared = [len(set(a) & set(b)) for a, b in zip(exact, found.rows.tolist(), strict=True)]
    assert np.mean(shared) > 4.9
    assert found.similarities[0, 0] == pytest.approx(
        vectors[0] @ vectors[found.rows[0, 0]]
        / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[found.rows[0, 0]]), abs=1e-5
    )  # fmt: skip


SEQUENCES = ["ACGTACGTAC", "ACGGTTACGTAC" * 4, "TTTGGG", "GATTACA", "CCCCGGG"]


@pytest.fixture
def table(tmp_path):
    rows = [f"r{i}\t{sequence}\t{'ab'[i % 2]}" for i, sequence in enumerate(SEQUENCES)]
    path = tmp_path / "table.tsv"
    path.write_text("\n".join(["id\tsequence\tlabel", *rows]) + "\n")
    return path


def cosines(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


@pytest.mark.parametrize("suffix", [".h5ad", ".parquet", ".safetensors"])
def test_files_of_embed_are_searched_by_files_and_by_sequences(folder, table, tmp_path, suffix):
    path, output = tmp_path / f"x{suffix}", tmp_path / "out.tsv"
    embed(folder, table, output=path, dtype="float32")
    expected = cosines(np.stack([each.embedding for each in embed(folder, table, dtype="float32")]))
    assert len(nearest(path, neighbours=4)) == 20
    # The file says by which model the sequences are to be embedded.
    done = nearest(table, path, neighbours=2, output=output, dtype="float32")
    assert done.summary() == "the 2 nearest of 5 sequences to each of 5"
    with output.open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["query"] for row in rows] == [f"r{i // 2}" for i in range(10)]
    for row in rows:
        query, neighbour = int(row["query"][1]), int(row["neighbour"][1])
        if row["rank"] == "1":
            assert query == neighbour
        assert float(row["similarity"]) == pytest.approx(expected[query, neighbour], abs=1e-5)
        assert row["label"] == ("ab"[neighbour % 2] if suffix == ".h5ad" else "")


@pytest.mark.filterwarnings("ignore:The '.*' option is deprecated")  # of anndata, by pandas 3
def test_a_plain_array_and_a_foreign_anndata_are_searched(tmp_path, vectors):
    np.save(tmp_path / "x.npy", vectors[:20].astype(np.float64))
    obs = pd.DataFrame({"label": [0.5, None] * 10}, index=[f"cell{i}" for i in range(20)])
    found = anndata.AnnData(vectors[:20], obs=obs)
    with anndata.settings.override(allow_write_nullable_strings=True):  # the ids, with pandas 3
        found.write_h5ad(tmp_path / "x.h5ad", compression="gzip")
    plain, foreign = (
        nearest(tmp_path / "x.npy", neighbours=3),
        nearest(tmp_path / "x.h5ad", neighbours=3),
    )
    assert [f"cell{each.neighbour}" for each in plain] == [each.neighbour for each in foreign]
    assert {each.label for each in foreign} == {"0.5", None}
    output = tmp_path / "out.parquet"
    nearest(tmp_path / "x.npy", tmp_path / "x.h5ad", neighbours=1, output=output)
    written = parquet.read_table(output).to_pydict()
    assert written["neighbour"] == [f"cell{i}" for i in range(20)]
    assert written["similarity"] == pytest.approx([1.0] * 20)


def write_parquet(path, cells, **columns):
    kind = pa.list_(pa.float32())
    columns = {"embedding": pa.array(cells, kind), **columns}
    parquet.write_table(pa.table(columns), path)
    return path


def test_what_cannot_be_compared_is_told_in_a_line(folder, table, tmp_path):
    cases = tmp_path / "cases"
    cases.mkdir()
    good = write_parquet(cases / "good.parquet", [[1.0, 2.0], [3.0, 4.0]], id=["a", "b"])
    bad = write_parquet(cases / "bad.parquet", [[1.0, 2.0], [float("nan"), 4.0]], id=["a", "b"])
    zero = write_parquet(cases / "zero.parquet", [[1.0, 2.0], [0.0, 0.0]], id=["a", "b"])
    ragged = write_parquet(cases / "ragged.parquet", [[1.0, 2.0, 4.0], [3.0]], id=["a", "b"])
    wide = write_parquet(cases / "wide.parquet", [[1.0, 2.0, 3.0]])
    np.save(cases / "flat.npy", np.zeros(3))
    (cases / "cut.h5ad").write_bytes(b"\x89HDF")
    embed(folder, table, output=cases / "bases.safetensors", pooling="base")
    embed(folder, table, output=cases / "mean.parquet")
    embed(folder, table, output=cases / "cls.safetensors", pooling="cls")
    for arguments, message in [
        ((bad,), r"bad\.parquet, record b: .* found NaN or infinity; embed"),
        ((zero,), r"zero\.parquet, record b: .* found nothing but zeros"),
        ((ragged,), r"ragged\.parquet: .* same number of numbers, found 3, 1; embed"),
        ((good, wide), r"found 2 in .*good\.parquet and 3 in .*wide\.parquet; embed both with one"),
        ((cases / "flat.npy",), r"flat\.npy must hold floats of shape \(sequences, dimensions\)"),
        ((cases / "cut.h5ad",), r"cut\.h5ad must hold one vector a sequence, .* cannot be read"),
        ((cases / "bases.safetensors",), r"must hold one tensor, embeddings, found"),
        ((cases / "mean.parquet", cases / "cls.safetensors"), "of one pooling .* mean .* cls"),
        ((table,), r"name a file of them \(--in\)"),
        ((table, good), r"good\.parquet, which does not say which; name it \(--model\)"),
        ((good, table), r"table\.tsv: embeddings must be in a file \*\.h5ad"),
    ]:
        with pytest.raises(ValueError, match=message):
            nearest(*arguments, neighbours=1)
    with pytest.raises(ValueError, match=r"neighbours must be from 1 to 1, .* others in .* got 2"):
        nearest(good, neighbours=2)
    with pytest.raises(
        ValueError, match=r"neighbours must be from 1 to 2, the number of vectors in"
    ):
        nearest(good, zero, neighbours=3)
    with pytest.raises(ValueError, match="holds embeddings; leave the model out"):
        nearest(good, neighbours=1, model=folder)
    with pytest.raises(ValueError, match="must not exist yet"):
        nearest(good, neighbours=1, output=table)
    with pytest.raises(ValueError, match=r"must be another file than the input"):
        nearest(good, neighbours=1, output=good, overwrite=True)


def test_other_weights_are_another_model(folder, table, tmp_path):
    embed(folder, table, output=tmp_path / "x.parquet")
    found = read_embeddings(tmp_path / "x.parquet")
    about = parquet.read_schema(tmp_path / "x.parquet").metadata[b"dnabert_hf"]
    assert json.loads(about) == found.about
    other = EmbeddingSet("y", found.ids, found.vectors, about={**found.about, "weights": "z"})
    with pytest.raises(ValueError, match=r"of one model .*, with other weights; embed both"):
        found.check_same_space(other)
