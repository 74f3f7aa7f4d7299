import gzip

import numpy as np
import pytest
import torch
from pyarrow import parquet

from dnabert_hf import DNABertForSequenceClassification, DNABertTokenizer
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.inference import predict as prediction_module
from dnabert_hf.inference.predict import Prediction, predict

# Windows of the tiny classifier hold 18 k-mers (20 positions): one, two and four pieces.
SEQUENCES = ["ACGTACGTAC", "TTTGGGACGTNNACGTACGTACACAGTG", "ACGGT" * 14]


def model_logits(model, tokenizer, *texts):
    """Ask the model itself, one sequence a call."""
    with torch.inference_mode():
        return model(**tokenizer(*texts, return_tensors="pt")).logits[0]


def write_fasta(path, sequences):
    path.write_text("".join(f">s{i}\n{s}\n" for i, s in enumerate(sequences)))
    return path


@pytest.mark.parametrize("pooling", ["mean", "concat", "lstm", "gru"])
def test_probabilities_are_those_of_the_model_itself(classifier, tokenizer, pooling):
    config = classifier.config
    config.num_segments = 4
    config.segment_pooling = pooling
    model = DNABertForSequenceClassification(config).eval()
    predictions = predict(model, SEQUENCES, tokenizer=tokenizer, device="cpu", dtype="float32")
    for found, sequence in zip(predictions, SEQUENCES, strict=True):
        expected = model_logits(model, tokenizer, sequence).softmax(0).tolist()
        assert list(found.probabilities) == ["none", "donor", "acceptor"]
        np.testing.assert_allclose(list(found.probabilities.values()), expected, atol=1e-5)
        assert found.probabilities[found.label] == max(found.probabilities.values())


def test_pairs_and_single_sequences_mix(classifier, tokenizer):
    records = [
        SequenceRecord("pair", "ACGTAC", sequence_b="TTTGA"),
        SequenceRecord("one", "ACGTAC"),
        SequenceRecord("long pair", "ACGTA" * 4, sequence_b="TTTGA" * 3),
    ]
    found = predict(classifier, records, tokenizer=tokenizer, device="cpu", dtype="float32")
    assert [prediction.id for prediction in found] == ["pair", "one", "long pair"]
    for prediction, record in zip(found, records, strict=True):
        texts = [text for text in (record.sequence, record.sequence_b) if text]
        expected = model_logits(classifier, tokenizer, *texts).softmax(0).tolist()
        np.testing.assert_allclose(list(prediction.probabilities.values()), expected, atol=1e-5)


@pytest.mark.parametrize("problem_type", ["single_label_classification", "regression"])
def test_both_strands_give_the_mean_of_what_each_gives(classifier, tokenizer, problem_type):
    classifier.config.problem_type = problem_type
    pairs = [("ACGTACGTTC", "GAACGTACGT"), ("TTTGN", "NCAAA")]
    records = [
        *(SequenceRecord(forward, forward) for forward, _ in pairs),
        SequenceRecord("pair", "ACGTACGTTC", sequence_b="TTTGN"),
    ]
    others = [
        *(SequenceRecord(forward, reverse) for forward, reverse in pairs),
        SequenceRecord("pair", "GAACGTACGT", sequence_b="NCAAA"),
    ]
    settings = {"tokenizer": tokenizer, "device": "cpu", "dtype": "float32"}
    both = predict(classifier, records, both_strands=True, **settings)
    one, other = predict(classifier, records, **settings), predict(classifier, others, **settings)
    for found, first, second in zip(both, one, other, strict=True):
        values = [list(p.probabilities.values()) for p in (found, first, second)]
        np.testing.assert_allclose(values[0], np.mean(values[1:], axis=0), atol=1e-6)
        assert values[1] != values[2]


def test_several_models_give_the_mean_of_what_each_gives(tmp_path, tiny_config):
    folders = []
    for k in (3, 4):
        config = type(tiny_config)(**{**tiny_config.to_dict(), "k": k, "vocab_size": None})
        DNABertForSequenceClassification(config).save_pretrained(tmp_path / str(k))
        DNABertTokenizer(k=k).save_pretrained(tmp_path / str(k))
        folders.append(tmp_path / str(k))
    settings = {"device": "cpu", "dtype": "float32"}
    found = predict(folders[0], SEQUENCES, also=folders[1:], **settings)
    one, other = (predict(folder, SEQUENCES, **settings) for folder in folders)
    for mean, first, second in zip(found, one, other, strict=True):
        values = [list(p.probabilities.values()) for p in (mean, first, second)]
        np.testing.assert_allclose(values[0], np.mean(values[1:], axis=0), atol=1e-6)
        assert values[1] != values[2]
    with pytest.raises(ValueError, match="at least k = 4 bases long, found 3"):
        predict(folders[0], ["ACG"], also=folders[1:], **settings)


def test_models_of_other_classes_are_not_averaged(classifier, tokenizer, tmp_path):
    path = tmp_path / "other"
    classifier.config.id2label = {0: "none", 1: "acceptor", 2: "donor"}
    classifier.save_pretrained(path)
    tokenizer.save_pretrained(path)
    classifier.config.id2label = {0: "none", 1: "donor", 2: "acceptor"}
    with pytest.raises(ValueError, match=r"same classes .*none, donor, acceptor and single_label"):
        predict(classifier, SEQUENCES, tokenizer=tokenizer, also=[path])


def test_pairs_run_in_bfloat16_too(classifier, tokenizer):
    records = [SequenceRecord("pair", "ACGTA" * 4, sequence_b="TTTGA" * 3)]
    (found,) = predict(classifier, records, tokenizer=tokenizer, device="cpu", dtype="bfloat16")
    assert sum(found.probabilities.values()) == pytest.approx(1)


def test_multi_label_names_every_class_from_one_half_on(classifier, tokenizer):
    classifier.config.problem_type = "multi_label_classification"
    with torch.no_grad():
        classifier.classifier.weight.zero_()
        classifier.classifier.bias.copy_(torch.tensor([0.0, -1.0, 2.0]))
    (found,) = predict(classifier, ["ACGTACGT"], tokenizer=tokenizer)
    assert found.label == "none;acceptor"
    assert found.probabilities["donor"] == pytest.approx(1 / (1 + np.e))


def test_regression_gives_the_value_and_no_label(tiny_config, tokenizer, tmp_path):
    tiny_config.num_labels = 1
    model = DNABertForSequenceClassification(tiny_config)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.fill_(-2.5)
    assert predict(model, ["ACGTACGT"], tokenizer=tokenizer) == [
        Prediction("0", None, {"LABEL_0": -2.5})
    ]
    path = tmp_path / "out.csv"
    predict(model, ["ACGTACGT"], tokenizer=tokenizer, output=path)
    assert path.read_text() == "id,value\n0,-2.5\n"


def test_a_sequence_of_too_many_pieces_is_named(classifier, tokenizer):
    config = classifier.config
    config.num_segments, config.segment_pooling = 1, "concat"
    model = DNABertForSequenceClassification(config)
    message = "record 1: a sequence must fit into the 1 pieces of 18 k-mers .* found 28 bases"
    with pytest.raises(ValueError, match=message):
        predict(model, SEQUENCES, tokenizer=tokenizer)


@pytest.mark.parametrize("name", ["out.tsv", "out.tsv.gz", "out.csv", "out.parquet"])
def test_files_hold_what_the_function_returns(folder, tmp_path, name):
    source = write_fasta(tmp_path / "in.fa", SEQUENCES)
    expected = predict(str(folder), source)
    path = tmp_path / name
    written = predict(folder, source, output=path)
    assert (written.path, written.n_sequences) == (path, 3)
    if name.endswith("parquet"):
        rows = [list(row.values()) for row in parquet.read_table(path).to_pylist()]
    else:
        text = (gzip.decompress(path.read_bytes()) if "gz" in name else path.read_bytes()).decode()
        header, *lines = text.splitlines()
        separator = "," if "csv" in name else "\t"
        assert header.split(separator) == [
            "id",
            "label",
            "prob_none",
            "prob_donor",
            "prob_acceptor",
        ]
        rows = [line.split(separator) for line in lines]
    for row, prediction in zip(rows, expected, strict=True):
        assert row[:2] == [prediction.id, prediction.label]
        values = [float(value) for value in row[2:]]
        np.testing.assert_allclose(values, list(prediction.probabilities.values()), rtol=1e-5)


def test_a_stopped_run_gives_the_same_bytes_as_one_in_a_go(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(prediction_module, "_CHUNK_BASES", 60)
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACGT"), n)) for n in rng.integers(3, 50, 20)]
    source = write_fasta(tmp_path / "in.fa", sequences)
    predict(folder, source, output=tmp_path / "whole.tsv")

    with monkeypatch.context() as patch:
        finish = prediction_module.Classifier.predict
        calls = []

        def stop_in_the_third_chunk(self, records):
            calls.append(len(records))
            if len(calls) == 3:
                raise KeyboardInterrupt
            return finish(self, records)

        patch.setattr(prediction_module.Classifier, "predict", stop_in_the_third_chunk)
        with pytest.raises(KeyboardInterrupt, match=r"run the same command again") as info:
            predict(folder, source, output=tmp_path / "stopped.tsv")
        assert str(info.value).startswith(f"stopped after {sum(calls[:2])} records")
    predict(folder, source, output=tmp_path / "stopped.tsv")
    assert (tmp_path / "stopped.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()


def test_a_changed_input_or_model_is_not_continued(folder, classifier, tmp_path, monkeypatch):
    source = write_fasta(tmp_path / "in.fa", SEQUENCES)
    output = tmp_path / "out.tsv"
    with monkeypatch.context() as patch:
        patch.setattr(prediction_module, "_CHUNK_BASES", 1)  # a chunk is a record
        finish = prediction_module.Classifier.predict
        chunks = []

        def stop_in_the_second_chunk(self, records):
            chunks.append(records)
            if len(chunks) == 2:
                raise KeyboardInterrupt
            return finish(self, records)

        patch.setattr(prediction_module.Classifier, "predict", stop_in_the_second_chunk)
        with pytest.raises(KeyboardInterrupt, match="stopped after 1 record;"):
            predict(folder, source, output=output)
    with pytest.raises(ValueError, match="its batch tokens is '4096', that of this run '64'"):
        predict(folder, source, output=output, batch_tokens=64, device="cpu")
    with torch.no_grad():
        classifier.classifier.bias[0] += 1
    classifier.save_pretrained(folder)
    with pytest.raises(ValueError, match="its weights is '"):
        predict(folder, source, output=output)
    write_fasta(source, [*SEQUENCES, "ACGT"])
    assert predict(folder, source, output=output, overwrite=True).n_sequences == 4


def test_an_existing_output_is_refused_before_the_model_is_loaded(tmp_path):
    (tmp_path / "out.tsv").touch()
    with pytest.raises(ValueError, match=r"out\.tsv must not exist yet"):
        predict("no/such/model", "no such file", output=tmp_path / "out.tsv")
