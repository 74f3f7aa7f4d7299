"""AnnData files: read by h5py here, and by anndata itself."""

import anndata
import h5py
import numpy as np
import pytest

from dnabert_hf.data.reading import sources
from dnabert_hf.inference.embed import embed
from dnabert_hf.inference.output.h5ad import H5adFormat
from dnabert_hf.inference.output.join import join_parts

# anndata asks pandas for options that pandas 3 is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:The '.*' option is deprecated")

ABOUT = {"model": "m", "weights": "w", "pooling": "mean", "version": "1"}
SEQUENCES = ["ACGTACGTAC", "ACGGTNACGTAC" * 4, "TTTGGG", "GATTACA", "CCCCGGG"]


@pytest.fixture
def table(tmp_path):
    lines = ["id\tsequence\tlabel\tsplit"]
    labels = ("yes", "no", "yes", "yes", "no")
    splits = ("train", "train", "dev", "test", "test")
    for i, row in enumerate(zip(SEQUENCES, labels, splits, strict=True)):
        lines.append("\t".join([f"r{i}", *row]))
    path = tmp_path / "table.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_anndata_reads_ids_vectors_columns_and_what_made_them(folder, table, tmp_path):
    path = tmp_path / "x.h5ad"
    expected = [found.embedding for found in embed(folder, table, dtype="float32")]
    embed(folder, table, output=path, dtype="float32")
    found = anndata.read_h5ad(path)
    assert found.X.dtype == np.float32
    np.testing.assert_allclose(found.X, expected, atol=1e-6)
    assert list(found.obs_names) == ["r0", "r1", "r2", "r3", "r4"]
    assert list(found.obs["label"]) == ["yes", "no", "yes", "yes", "no"]
    assert found.obs["label"].dtype == "category"
    assert list(found.obs["split"]) == ["train", "train", "dev", "test", "test"]
    about = found.uns["dnabert_hf"]
    assert (about["model"], about["pooling"]) == (str(folder), "mean")
    assert about["weights"]
    assert found[found.obs["label"] == "yes"].shape == (3, 32)


def test_shards_make_the_bytes_of_one_process(folder, table, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_CHUNK_RECORDS", 2)
    one, parted = tmp_path / "one.h5ad", tmp_path / "parted.h5ad"
    embed(folder, table, output=one)
    for shard in ("1/2", "0/2"):
        embed(folder, table, output=parted, shard=shard)
    join_parts(parted)
    assert parted.read_bytes() == one.read_bytes()


def columns_of(tmp_path, labels):
    vectors = np.arange(2.0 * len(labels)).reshape(-1, 2)
    rows = [(f"r{i}", vectors[i], label, None) for i, label in enumerate(labels)]
    written = H5adFormat(n_dims=2, precision="float32", about=ABOUT)
    parts = [tmp_path / "a", tmp_path / "b"]
    written.write_part(parts[0], rows[:2])
    written.write_part(parts[1], rows[2:])
    written.join(parts, tmp_path / "x")
    with h5py.File(tmp_path / "x") as file:
        np.testing.assert_array_equal(file["X"][:], vectors)
        assert file["X"].chunks is None  # in one piece, so that it can be mapped
        obs = file["obs"]
        assert list(obs.attrs["column-order"]) == [name for name in obs if name != "_index"]
        if "label" not in obs:
            return None
        if isinstance(obs["label"], h5py.Dataset):
            return obs["label"][:].tolist()
        names = [*obs["label/categories"].asstr()[:], None]
        return [names[code] for code in obs["label/codes"][:]]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["b", None, "a"], ["b", None, "a"]),
        (["0", "1", "1"], ["0", "1", "1"]),
        (["0.5", "2", "-1e3"], [0.5, 2.0, -1000.0]),
        (["0.5", "nan", "x"], ["0.5", "nan", "x"]),
        (["p;q", "", "p"], ["p;q", "", "p"]),
        ([None, None, None], None),
    ],
)
def test_labels_are_categories_or_the_numbers_of_a_regression(tmp_path, labels, expected):
    assert columns_of(tmp_path, labels) == expected


def test_an_empty_result_is_a_file_too(tmp_path):
    H5adFormat(n_dims=3, precision="float16", about=ABOUT).join([], tmp_path / "x.h5ad")
    assert anndata.read_h5ad(tmp_path / "x.h5ad").shape == (0, 3)


def test_vectors_of_bases_are_refused(folder, tmp_path):
    with pytest.raises(ValueError, match=r"x\.h5ad has one vector a sequence, .* write Parquet"):
        embed(folder, SEQUENCES, output=tmp_path / "x.h5ad", pooling="base")
