import logging
import os
import signal

import numpy as np
import pytest
import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from dnabert_hf import DataCollatorForContiguousKmerMasking, DNABertForMaskedLM
from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.data.masking.segments import SegmentDataset, SegmentOptions
from dnabert_hf.training.pretraining import trainer as pretraining_trainer
from dnabert_hf.training.pretraining.trainer import PretrainingTrainer, Progress, StopOnSignal


@pytest.fixture
def dataset(tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(">x\n" + "".join(np.random.default_rng(1).choice(list("ACGT"), 5000)) + "\n")
    genome = open_genome(path, cache_dir=tmp_path / "cache")
    return SegmentDataset(genome, SegmentOptions(k=3, max_tokens=40, batch_size=4))


@pytest.fixture
def make_arguments(tmp_path):
    def make(**changes):
        options = {"max_steps": 5, "logging_steps": 1, "learning_rate": 1e-2, "save_strategy": "no"}
        options |= {"use_cpu": True, "dataloader_pin_memory": False, "disable_tqdm": True}
        options |= {"include_num_input_tokens_seen": "non_padding", "remove_unused_columns": False}
        return TrainingArguments(str(tmp_path / "out"), report_to="none", **(options | changes))

    return make


@pytest.fixture
def make_trainer(dataset, make_arguments, tiny_config, tokenizer):
    def make(*, score=None, callbacks=(), **changes):
        torch.manual_seed(0)
        tiny_config.hidden_dropout_prob = tiny_config.attention_probs_dropout_prob = 0.0
        return PretrainingTrainer(
            score=score,
            model=DNABertForMaskedLM(tiny_config),
            args=make_arguments(**changes),
            data_collator=DataCollatorForContiguousKmerMasking(tokenizer, seed=1),
            train_dataset=dataset,
            callbacks=list(callbacks),
        )

    return make


def losses(trainer):
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def test_segments_are_read_in_their_order(make_trainer, dataset):
    trainer = make_trainer(per_device_train_batch_size=4)
    batches = list(trainer.get_train_dataloader())
    assert len(batches) == len(dataset) // 4
    collate = trainer.data_collator
    for first in (0, 4, 8):
        expected = collate(dataset.__getitems__(range(first, first + 4)))
        assert all(torch.equal(batches[first // 4][name], expected[name]) for name in expected)


def test_gradient_accumulation_is_exact(make_trainer):
    found = [
        losses(
            make_trainer(per_device_train_batch_size=size, gradient_accumulation_steps=4 // size)
        )
        for size in (4, 2, 1)
    ]
    assert len(found[0]) == 5
    assert found[0][4] != pytest.approx(found[0][0], abs=0.05), "the weights change"
    assert found[1] == pytest.approx(found[0], abs=1e-4)
    assert found[2] == pytest.approx(found[0], abs=1e-4)


@pytest.mark.parametrize("is_training", [True, False])
def test_held_out_scores_take_the_place_of_the_evaluation(make_trainer, is_training):
    def score(model):
        assert not model.training
        return {"bits_per_base": 1.5, "accuracy": 0.5, "perplexity": 9.0}

    trainer = make_trainer(score=score)
    trainer.model.train(is_training)
    expected = {"eval_bits_per_base": 1.5, "eval_accuracy": 0.5, "eval_perplexity": 9.0}
    assert expected.items() <= trainer.evaluate().items()
    assert trainer.model.training is is_training
    assert expected.items() <= trainer.state.log_history[-1].items()
    assert trainer.evaluate(metric_key_prefix="test")["test_accuracy"] == 0.5


def test_without_held_out_dna_there_is_nothing_to_score(make_trainer):
    trainer = make_trainer()
    assert trainer.evaluate() == {}
    assert trainer.state.log_history == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_training_with_a_checkpoint(make_arguments, number):
    stop, arguments = StopOnSignal(), make_arguments()
    state, control = TrainerState(global_step=3, max_steps=5), TrainerControl()
    before = signal.getsignal(number)
    with stop:
        stop.on_step_end(arguments, state, control)
        assert (control.should_training_stop, stop.received) == (False, None)
        os.kill(os.getpid(), number)
        assert not control.should_training_stop, "not in the middle of a step"
        stop.on_step_end(arguments, state, control)
    assert control.should_training_stop
    assert control.should_save
    assert stop.received == number.name
    assert signal.getsignal(number) == before


def test_a_signal_after_the_last_step_changes_nothing(make_arguments):
    stop, control = StopOnSignal(), TrainerControl()
    with stop:
        os.kill(os.getpid(), signal.SIGTERM)
        stop.on_step_end(make_arguments(), TrainerState(global_step=5, max_steps=5), control)
    assert (control.should_training_stop, stop.received) == (False, None)


def test_the_signals_are_given_back_when_training_fails():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RuntimeError, match="no more"), StopOnSignal():
        assert signal.getsignal(signal.SIGTERM) != before
        raise RuntimeError("no more")
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.fixture
def slow_clock(monkeypatch):
    """A clock that goes on by 5 s at each look, and a machine of 10 GFLOP/s."""
    seconds = iter(range(0, 10_000, 5))
    monkeypatch.setattr(pretraining_trainer.time, "perf_counter", lambda: next(seconds))
    monkeypatch.setattr(pretraining_trainer, "peak_matmul_flops", lambda device, dtype: 1e10)


SCORES = {"eval_bits_per_base": 1.9, "eval_accuracy": 0.3456, "eval_perplexity": 40.125}


def follow(progress, arguments, model, state):
    """Three steps of 100,000 tokens, each logged; evaluation and checkpoint after the second."""
    control = TrainerControl()
    progress.on_train_begin(arguments, state, control, model=model)
    for step in (11, 12, 13):
        state.global_step, state.num_input_tokens_seen = step, 100_000 * step
        progress.on_step_end(arguments, state, control)
        progress.on_log(arguments, state, control, logs={"loss": 4.0 / step, "train_runtime": 1})
        if step == 12:
            progress.on_log(arguments, state, control, logs=SCORES)
            progress.on_evaluate(arguments, state, control)
            progress.on_save(arguments, state, control)
    progress.on_log(arguments, state, control, logs={"train_loss": 1, "train_runtime": 1})
    progress.on_train_end(arguments, state, control)


def test_progress_is_logged_with_speed_share_of_the_peak_and_time_left(
    make_arguments, tiny_config, slow_clock, caplog
):
    caplog.set_level(logging.INFO, logger="dnabert_hf.training")
    state = TrainerState(global_step=10, max_steps=72, num_input_tokens_seen=1_000_000)
    follow(Progress(n_tokens=512), make_arguments(), DNABertForMaskedLM(tiny_config), state)
    # A token takes 6 x 16,384 + 24 x 512 x 32 = 491,520 operations, 20,000 tokens a second 98 % of
    # 10 billion. 61 and then 60 steps of 5 s remain. The third step ends 20 s behind the first, 10
    # of which are a pause: 200,000 tokens in 10 s, and 59 steps of 10 s remain.
    assert [record.getMessage() for record in caplog.records] == [
        "step 11 of 72: loss 0.3636, 20,000 tokens/s, 98% of the matrix peak, 5 min left",
        "step 12 of 72: loss 0.3333, 20,000 tokens/s, 98% of the matrix peak, 5 min left",
        "step 12 of 72: held-out 1.9000 bits per base, accuracy 0.3456, perplexity 40.12 per k-mer",
        "step 13 of 72: loss 0.3077, 20,000 tokens/s, 98% of the matrix peak, 10 min left",
    ]


def test_a_slow_first_step_tells_nothing_of_the_time_left(
    make_arguments, tiny_config, caplog, monkeypatch
):
    """It compiles for 100 s: the 60 steps after the second, of 2 s each, take 2 minutes."""
    clock = iter([0, 100, 102])
    monkeypatch.setattr(pretraining_trainer.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(pretraining_trainer, "peak_matmul_flops", lambda device, dtype: 1e12)
    caplog.set_level(logging.INFO, logger="dnabert_hf.training")
    progress, arguments, control = Progress(n_tokens=512), make_arguments(), TrainerControl()
    state = TrainerState(max_steps=62)
    progress.on_train_begin(arguments, state, control, model=DNABertForMaskedLM(tiny_config))
    for step in (1, 2):
        state.global_step, state.num_input_tokens_seen = step, 2_000_000 * step
        progress.on_step_end(arguments, state, control)
    progress.on_log(arguments, state, control, logs={"loss": 1.0})
    assert [record.getMessage() for record in caplog.records] == [
        "step 2 of 62: loss 1.0000, 1,000,000 tokens/s, 49% of the matrix peak, 2 min left"
    ]


def test_progress_is_a_bar_on_a_terminal(make_arguments, tiny_config, slow_clock, capsys, caplog):
    caplog.set_level(logging.INFO, logger="dnabert_hf.training")
    state = TrainerState(global_step=10, max_steps=72, num_input_tokens_seen=1_000_000)
    progress = Progress(n_tokens=512)
    follow(progress, make_arguments(disable_tqdm=False), DNABertForMaskedLM(tiny_config), state)
    shown = capsys.readouterr()
    assert "13/72" in shown.err
    assert "loss 0.308, 20,000 tokens/s, 98% of the matrix peak" in shown.err
    assert "step 12 of 72: held-out 1.9000 bits per base" in shown.out + shown.err
    assert caplog.records == []


def test_only_the_first_process_shows_progress(make_arguments, tiny_config, caplog):
    caplog.set_level(logging.INFO, logger="dnabert_hf.training")
    state = TrainerState(max_steps=72, is_world_process_zero=False)
    follow(Progress(n_tokens=512), make_arguments(), DNABertForMaskedLM(tiny_config), state)
    assert caplog.records == []


def test_a_whole_training_is_followed(make_trainer, caplog, monkeypatch):
    monkeypatch.setattr(pretraining_trainer, "peak_matmul_flops", lambda device, dtype: 1e10)
    caplog.set_level(logging.INFO, logger="dnabert_hf.training")
    losses(make_trainer(callbacks=[Progress(n_tokens=512)], per_device_train_batch_size=4))
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(":")[0] for line in lines] == [f"step {i} of 5" for i in range(1, 6)]
    assert all(" tokens/s, " in line for line in lines)
