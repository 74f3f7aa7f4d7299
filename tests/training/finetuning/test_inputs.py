"""Defaults of fine-tuning by model and data, and options that do not go together."""

import pytest

from dnabert_hf import finetune
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.modeling.modeling_dnabert import DNABertForMaskedLM
from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer
from dnabert_hf.training.finetuning.inputs import read_inputs
from dnabert_hf.training.finetuning.modes import choose_mode
from dnabert_hf.training.finetuning.options import FinetuneOptions
from dnabert_hf.training.shared.initialisation import passes_of_small

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
        (
            "pretrained",
            {"optimizer": "adamw", "muon_learning_rate": 0.1},
            "must go with the optimizer muon",
        ),
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


def inputs_of(start, table, tmp_path, **options):
    chosen = FinetuneOptions(**options)
    mode = choose_mode(chosen, is_per_base=False)
    return read_inputs(start, table, mode, chosen, checkpoints=tmp_path / "checkpoints")


def test_a_small_model_gets_muon_and_at_least_150_steps(table, tmp_path, pretrained):
    inputs = inputs_of(pretrained, table, tmp_path)
    assert inputs.optimizer == "muon"
    # 36 sequences beside 4 set apart: two batches of 32 a pass, 75 passes, ten evaluations.
    assert (inputs.training.num_train_epochs, inputs.training.eval_steps) == (75, 0.1)
    assert inputs.training.eval_strategy == inputs.training.save_strategy == "steps"


def test_one_learning_rate_moves_both_optimisers(table, tmp_path, pretrained):
    arguments = {"learning_rate": 2e-3}  # usual at this width: 1e-3
    inputs = inputs_of(pretrained, table, tmp_path, arguments=arguments)
    assert inputs.muon_learning_rate == pytest.approx(0.01)
    own = inputs_of(pretrained, table, tmp_path, arguments=arguments, muon_learning_rate=0.03)
    assert own.muon_learning_rate == 0.03


def test_passes_go_with_the_batch_that_is_asked_for(table, tmp_path, pretrained):
    arguments = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
    inputs = inputs_of(pretrained, table, tmp_path, arguments=arguments)
    assert inputs.training.num_train_epochs == 30  # 36 sequences, steps of 8: 5 a pass, 30 x 5


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused_before_it_draws(table, tmp_path, seed):
    with pytest.raises(ValueError, match="seed must be from 0"):
        finetune("random", table, output_dir=tmp_path / "out", arguments={"seed": seed})


def test_what_is_asked_for_comes_before_the_defaults_of_small_models(table, tmp_path, pretrained):
    inputs = inputs_of(
        pretrained, table, tmp_path, optimizer="adamw", arguments={"num_train_epochs": 2}
    )
    assert (inputs.optimizer, inputs.training.num_train_epochs) == ("adamw", 2)
    assert inputs.training.eval_strategy == "epoch"


@pytest.mark.parametrize(
    ("start", "options", "epochs"),
    [
        ("cnn", {}, 20),
        ("pretrained", {"freeze": True}, 30),
        ("random", {"config": TINY | {"hidden_size": 768}}, 5),
    ],
)
def test_networks_heads_and_models_of_berts_width_keep_adamw(
    table, tmp_path, pretrained, start, options, epochs
):
    start = pretrained if start == "pretrained" else start
    inputs = inputs_of(start, table, tmp_path, **options)
    assert (inputs.optimizer, inputs.training.num_train_epochs) == ("adamw", epochs)


@pytest.mark.parametrize(
    ("n", "length", "batch", "epochs"),
    [
        (1, 100, 32, 150),
        (100, 100, 32, 38),  # 4 steps a pass: 38 x 4 = 152 steps
        (480, 100, 32, 10),
        (3000, 100, 32, 10),
        (3001, 100, 32, 5),
        (300, 201, 16, 10),
        (160, 201, 16, 15),
    ],
)
def test_passes_of_small_models_by_hand(n, length, batch, epochs):
    assert passes_of_small(n, length) == {
        "per_device_train_batch_size": batch,
        "num_train_epochs": epochs,
    }
