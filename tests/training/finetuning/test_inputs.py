"""Options of fine-tuning that do not go together, refused before anything is written."""

import pytest

from dnabert_hf import finetune
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.modeling.modeling_dnabert import DNABertForMaskedLM
from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer

TINY = {
    "k": 3,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}


@pytest.fixture
def table(tmp_path):
    rows = [f"{'ACGT' * 3 if i % 2 else 'GGCA' * 3}\t{i % 2}" for i in range(40)]
    path = tmp_path / "t.tsv"
    path.write_text("\n".join(["sequence\tlabel", *rows]) + "\n")
    return path


@pytest.fixture
def pretrained(tmp_path):
    DNABertForMaskedLM(DNABertConfig(**TINY)).save_pretrained(tmp_path / "pretrained")
    DNABertTokenizer(k=3).save_pretrained(tmp_path / "pretrained")
    return tmp_path / "pretrained"


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("pretrained", {"optimizer": "sgd"}, "optimizers must be known by name, got 'sgd'"),
        ("pretrained", {"optimizer": "muon", "lora": 4}, r"found adapters \(lora\)"),
        ("pretrained", {"optimizer": "muon", "freeze": True}, "found a frozen encoder"),
        ("cnn", {"optimizer": "muon"}, "found a dna_cnn network"),
        ("pretrained", {"muon_learning_rate": 0.1}, "must go with the optimizer muon"),
        ("pretrained", {"keep_checkpoints": True, "lora": 4}, "must hold whole models"),
        ("pretrained", {"keep_checkpoints": True, "freeze": True}, "must hold whole models"),
        ("pretrained", {"both_strands": True, "freeze": True}, "embeddings of a frozen encoder"),
        ("pretrained", {"both_strands": True, "task": "token"}, "labels of bases must be read"),
        ("pretrained", {"both_strands": True, "task": "splice"}, "of the task splice must be read"),
    ],
)
def test_options_that_do_not_go_together(table, tmp_path, pretrained, model, options, message):
    start = pretrained if model == "pretrained" else model
    with pytest.raises(ValueError, match=message):
        finetune(start, table, output_dir=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_an_option_that_is_none_is_refused_by_name(table, tmp_path):
    with pytest.raises(TypeError, match="epochs"):
        finetune("random", table, output_dir=tmp_path / "out", epochs=3)
