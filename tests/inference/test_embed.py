import json

import numpy as np
import pytest
import torch
from pyarrow import parquet
from safetensors import safe_open

from dnabert_hf import DNABertModel
from dnabert_hf.data.reading import sources
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.inference.embed import embed, spread_over_bases
from dnabert_hf.inference.output import formats

LONG = "ACGGTNACGTAC" * 4  # 48 bases, 46 k-mers: windows of 18, 18 and 10 of the tiny model
SEQUENCES = ["ACGTACGTAC", LONG, "TTTGGG"]


@pytest.fixture
def encoder(classifier):
    return classifier.bert


def kmer_states(model, tokenizer, sequence):
    """Ask the model itself, one window a call: [CLS] of each and the states of all k-mers."""
    cls, kmers = [], []
    for start in range(0, len(sequence) - 2, 18):
        inputs = tokenizer(sequence[start : start + 20], return_tensors="pt")
        with torch.inference_mode():
            states = model(**inputs).last_hidden_state[0].numpy()
        cls.append(states[0])
        kmers.append(states[1:-1])
    return np.stack(cls), np.concatenate(kmers)


@pytest.mark.parametrize("pooling", ["mean", "cls", "base"])
def test_embeddings_are_made_of_the_states_of_the_model(encoder, tokenizer, pooling):
    found = embed(encoder, SEQUENCES, pooling=pooling, tokenizer=tokenizer, dtype="float32")
    assert [embedding.id for embedding in found] == ["0", "1", "2"]
    for embedding, sequence in zip(found, SEQUENCES, strict=True):
        cls, kmers = kmer_states(encoder, tokenizer, sequence)
        if pooling == "mean":
            expected = kmers.mean(axis=0)
        elif pooling == "cls":
            n_kmers = len(sequence) - 2
            weights = [18] * (n_kmers // 18) + ([n_kmers % 18] if n_kmers % 18 else [])
            expected = (cls * np.array(weights)[:, None]).sum(axis=0) / n_kmers
        else:
            expected = [kmers[max(0, i - 2) : i + 1].mean(axis=0) for i in range(len(sequence))]
        assert embedding.embedding.dtype == np.float32
        np.testing.assert_allclose(embedding.embedding, expected, atol=1e-5)


def test_one_kmer_is_spread_over_its_bases():
    states = np.array([[2.0, 4.0]], dtype=np.float32)
    np.testing.assert_array_equal(spread_over_bases(states, k=4), np.repeat(states, 4, axis=0))


@pytest.mark.parametrize("pooling", ["mean", "base"])
def test_parquet_holds_what_the_function_returns(folder, tmp_path, pooling):
    expected = embed(folder, SEQUENCES, pooling=pooling)
    path = tmp_path / "out.parquet"
    written = embed(folder, SEQUENCES, pooling=pooling, output=path)
    assert written.n_sequences == 3
    for row, embedding in zip(parquet.read_table(path).to_pylist(), expected, strict=True):
        assert row["id"] == embedding.id
        np.testing.assert_allclose(row["embedding"], embedding.embedding, atol=1e-6)


def test_safetensors_hold_what_the_function_returns(folder, tmp_path):
    means, bases = embed(folder, SEQUENCES), embed(folder, SEQUENCES, pooling="base")
    embed(folder, SEQUENCES, output=tmp_path / "mean.safetensors")
    embed(folder, SEQUENCES, output=tmp_path / "base.safetensors", pooling="base")
    with safe_open(tmp_path / "mean.safetensors", "np") as file:
        assert json.loads(file.metadata()["ids"]) == ["0", "1", "2"]
        np.testing.assert_allclose(
            file.get_tensor("embeddings"), np.stack([m.embedding for m in means]), atol=1e-6
        )
    with safe_open(tmp_path / "base.safetensors", "np") as file:
        for embedding in bases:
            np.testing.assert_allclose(
                file.get_tensor(embedding.id), embedding.embedding, atol=1e-6
            )


def test_a_pair_is_refused_by_name(encoder, tokenizer):
    with pytest.raises(ValueError, match="record x: an embedding describes one sequence, found a"):
        embed(encoder, [SequenceRecord("x", "ACGT", sequence_b="ACGT")], tokenizer=tokenizer)


def test_an_unknown_pooling_is_refused(encoder):
    with pytest.raises(ValueError, match="pooling must be one of mean, cls, base, got 'max'"):
        embed(encoder, ["ACGT"], pooling="max")


def test_a_model_without_a_head_is_enough(tiny_config, tokenizer, tmp_path):
    DNABertModel(tiny_config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert embed(tmp_path, ["ACGT"])[0].embedding.shape == (32,)


@pytest.mark.parametrize("pooling", ["mean", "base"])
@pytest.mark.parametrize("suffix", [".parquet", ".safetensors"])
def test_half_precision_is_half_the_size_and_rounds(encoder, tokenizer, tmp_path, pooling, suffix):
    exact = embed(encoder, SEQUENCES, pooling=pooling, tokenizer=tokenizer, dtype="float32")
    path = tmp_path / f"half{suffix}"
    options = {"pooling": pooling, "tokenizer": tokenizer, "dtype": "float32"}
    embed(encoder, SEQUENCES, output=path, precision="float16", **options)
    if suffix == ".parquet":
        found = [np.array(cell) for cell in parquet.read_table(path)["embedding"].to_pylist()]
    else:
        with safe_open(path, "np") as file:
            names = ["embeddings"] if pooling == "mean" else ["0", "1", "2"]
            assert all(file.get_tensor(name).dtype == np.float16 for name in names)
            stacked = [file.get_tensor(name) for name in names]
        found = list(stacked[0]) if pooling == "mean" else stacked
    for each, values in zip(exact, found, strict=True):
        np.testing.assert_array_equal(values, each.embedding.astype(np.float16))


def test_other_number_formats_are_refused(encoder, tokenizer, tmp_path):
    with pytest.raises(ValueError, match="precision must be one of float32, float16, got 'int8'"):
        embed(encoder, SEQUENCES, tokenizer=tokenizer, precision="int8")


@pytest.mark.parametrize("pooling", ["mean", "base"])
@pytest.mark.parametrize("suffix", [".parquet", ".safetensors"])
def test_a_folder_holds_files_of_a_size_that_are_each_complete(
    folder, tmp_path, monkeypatch, pooling, suffix
):
    monkeypatch.setattr(formats, "_MEGABYTE", 20_000)
    monkeypatch.setattr(sources, "_CHUNK_RECORDS", 2)
    sequences = [SEQUENCES[i % 3] * 4 for i in range(300 if pooling == "mean" else 12)]
    expected = [e.embedding for e in embed(folder, sequences, pooling=pooling)]
    path = tmp_path / f"out{suffix}"
    written = embed(folder, sequences, output=path, pooling=pooling, max_file_mb=1)
    assert written == (path, len(sequences))
    files = sorted(path.iterdir())
    assert [each.name for each in files] == [
        f"out-{i:05d}-of-{len(files):05d}{suffix}" for i in range(len(files))
    ]
    assert len(files) > 1
    ids, found = [], []
    for file in files:
        # A part is not divided: two sequences of 192 and 40 bases, 128 bytes each, are 29,696.
        assert file.stat().st_size < (25_000 if pooling == "mean" else 32_000)
        if suffix == ".parquet":
            table = parquet.read_table(file).to_pydict()
            ids += table["id"]
            found += table["embedding"]
        else:
            with safe_open(file, "np") as tensors:
                if pooling == "mean":
                    ids += json.loads(tensors.metadata()["ids"])
                    found += list(tensors.get_tensor("embeddings"))
                else:
                    names = sorted(tensors.keys(), key=int)
                    ids += names
                    found += [tensors.get_tensor(name) for name in names]
    assert ids == [str(i) for i in range(len(sequences))]
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    if suffix == ".parquet":
        assert parquet.read_table(path).column("id").to_pylist() == ids


def test_a_folder_is_replaced_if_it_holds_nothing_else(folder, tmp_path):
    path = tmp_path / "out.parquet"
    options = {"output": path, "max_file_mb": 1}
    embed(folder, SEQUENCES, **options)
    with pytest.raises(ValueError, match=r"out\.parquet must not exist yet, .* found a folder"):
        embed(folder, SEQUENCES, **options)
    embed(folder, SEQUENCES[:1], overwrite=True, **options)
    assert parquet.read_table(path).num_rows == 1
    (path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"nothing but the files of an earlier run .* notes\.txt"):
        embed(folder, SEQUENCES, overwrite=True, **options)
    assert (path / "notes.txt").read_text() == "mine"
    with pytest.raises(ValueError, match="must be a file to write, found a folder"):
        embed(folder, SEQUENCES, output=path, overwrite=True)
    embed(folder, SEQUENCES, output=tmp_path / "file.parquet")
    with pytest.raises(ValueError, match="must be a folder to write, found a file"):
        embed(folder, SEQUENCES, output=tmp_path / "file.parquet", max_file_mb=1)


def test_a_file_size_that_is_none_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match=r"\(--max-file-mb\) must be 1 or more, .* got 0 for"):
        embed(folder, SEQUENCES, output=tmp_path / "out.parquet", max_file_mb=0)
    with pytest.raises(ValueError, match="got 1 for results in memory"):
        embed(folder, SEQUENCES, max_file_mb=1)
