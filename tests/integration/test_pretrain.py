"""`pretrain` from FASTA files to a saved model: learning, stopping, going on."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer, TrainerCallback

from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.data.masking.schedule import MaskingStage
from dnabert_hf.data.masking.segments import SegmentDataset, SegmentOptions
from dnabert_hf.training.pretraining import throughput
from dnabert_hf.training.pretraining.pretrain import pretrain
from dnabert_hf.training.pretraining.validation import HeldOutScorer

TINY = {
    "k": 3,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
EXACT = {"use_cpu": True, "bf16": False, "logging_steps": 1, "save_strategy": "no"}
SMALL = {"max_steps": 6, "per_device_train_batch_size": 4, "eval_strategy": "no"}
UNIT = "GATTACAGGC"


@pytest.fixture(autouse=True)
def _small_measurement(monkeypatch):
    monkeypatch.setattr(throughput, "_SIZE", 64)
    monkeypatch.setattr(throughput, "_SECONDS", 0.01)


@pytest.fixture
def genome(tmp_path):
    """Contig a has two runs of 1,000 bases that repeat ten, b one of 300."""
    path = tmp_path / "genome.fa"
    path.write_text(f">a\n{UNIT * 100}{'N' * 30}{UNIT.lower() * 100}\n>b\n{UNIT * 30}\n")
    return path


@pytest.fixture
def run(genome, tmp_path, monkeypatch):
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))

    def run_pretrain(name, *, arguments=None, config=None, sources=genome, **options):
        return pretrain(
            sources,
            output_dir=tmp_path / name,
            config=TINY | (config or {}) if "model" not in options else config,
            arguments=EXACT | SMALL | (arguments or {}),
            **({"preset": "mini"} | options),
        )

    return run_pretrain


class StopAt(TrainerCallback):
    """Sends a signal to its own process in the middle of a step."""

    def __init__(self, step, number=signal.SIGTERM):
        self.step, self.number = step, number

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        if state.global_step == self.step - 1:
            os.kill(os.getpid(), self.number)


class Spy(TrainerCallback):
    def on_train_begin(self, args, state, control, *, train_dataloader, **kwargs):
        self.collate = train_dataloader.collate_fn


def report_of(result):
    return json.loads((result.output_dir / "metrics.json").read_text())


def losses(result):
    history = report_of(result)["history"]
    return [(entry["step"], entry["loss"]) for entry in history if "loss" in entry]


def weights(result):
    return AutoModelForMaskedLM.from_pretrained(result.output_dir).state_dict()


def assert_same_weights(result, other):
    first, second = weights(result), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.usefixtures("rendered_curves")
def test_a_repetitive_genome_is_learnt_and_everything_is_written(run, genome):
    arguments = {"max_steps": 60, "learning_rate": 5e-3, "per_device_train_batch_size": 8}
    arguments |= {"eval_strategy": "steps", "eval_steps": 40, "save_strategy": "steps"}
    result = run("out", held_out=["b"], arguments=arguments, recipe={"reverse_complement": False})
    found = [loss for _, loss in losses(result)]
    assert len(found) == result.steps == 60
    assert np.mean(found[:2]) > 4  # log 69 = 4.23
    assert np.mean(found[-10:]) < 2.5  # there are ten k-mers: log 10 = 2.3
    assert result.scores["bits_per_base"] < 0.3
    names = {path.name for path in result.output_dir.iterdir()}
    model = {"config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"}
    code = {name for name in names if name.endswith("_dnabert.py")}  # for use without this package
    assert names - code == model | {"README.md", "metrics.json", "curves.png"}
    report = report_of(result)
    assert report["scores"] == result.scores
    assert (report["steps"], report["tokens"]) == (60, result.n_tokens)
    assert report["data"] == {"contigs": 2, "bases": 2000, "files": ["genome.fa"]}
    assert [e["step"] for e in report["history"] if "eval_loss" in e] == [40, 60]
    # What was saved is what was scored.
    store = open_genome(genome)
    score = HeldOutScorer(store, store.runs[2:], k=3, n_windows=256, n_kmers=62, seed=42)
    reloaded = AutoModelForMaskedLM.from_pretrained(result.output_dir).eval()
    assert score(reloaded) == pytest.approx(result.scores, rel=1e-5)
    assert AutoTokenizer.from_pretrained(result.output_dir).k == 3


@pytest.mark.parametrize(
    ("number", "optimizer"), [(signal.SIGTERM, "adamw"), (signal.SIGINT, "muon")]
)
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(run, number, optimizer):
    options = {
        "recipe": {"optimizer": optimizer},
        "preset": "paper",  # dropout, so that torch's random state matters too
        "held_out": ["b"],
        "arguments": {
            "gradient_accumulation_steps": 2,
            "warmup_steps": 2,
            "learning_rate": 1e-3,
            "lr_scheduler_type": "linear",
            "lr_scheduler_kwargs": {},
            "eval_strategy": "steps",
            "eval_steps": 2,
        },
    }
    whole = run("whole", **options)
    handlers = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    message = rf"stopped by {number.name} at step 3 of 6; a checkpoint is kept.*\(--resume\)"
    with pytest.raises(KeyboardInterrupt, match=message):
        run("parts", callbacks=[StopAt(3, number)], **options)
    folder = whole.output_dir.with_name("parts")
    assert [path.name for path in folder.iterdir()] == ["checkpoints"]
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == handlers
    torch.rand(7)
    parts = run("parts", resume=True, **options)
    assert losses(parts) == losses(whole)
    assert_same_weights(parts, whole)
    assert (parts.steps, parts.n_tokens) == (6, whole.n_tokens)
    assert parts.scores == whole.scores
    assert not (folder / "checkpoints").exists()


def test_no_loss_is_lost_when_a_run_is_stopped_between_two_logs(run):
    options = {"arguments": {"logging_steps": 6}}
    ((last, mean),) = losses(run("whole", **options))
    with pytest.raises(KeyboardInterrupt, match="at step 2 of 6"):
        run("parts", callbacks=[StopAt(2)], **options)
    (before, of_two), (after, of_four) = losses(run("parts", resume=True, **options))
    assert (before, after, last) == (2, 6, 6)
    assert (2 * of_two + 4 * of_four) / 6 == pytest.approx(mean, rel=1e-6)


def test_a_signal_in_the_last_step_does_not_undo_the_run(run):
    assert run("out", callbacks=[StopAt(6)]).steps == 6


def test_resume_begins_where_there_is_nothing_to_go_on_with(run):
    with_resume, without = run("with", resume=True), run("without")
    assert_same_weights(with_resume, without)


def test_a_run_goes_on_with_the_settings_it_began_with_alone(run, genome, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run("out", callbacks=[StopAt(1)])
    other = tmp_path / "other.fa"
    other.write_text(genome.read_text().replace("GATTACA", "GATTACG"))
    changes = {
        r"arguments\.learning_rate": {"arguments": {"learning_rate": 0.5}},
        r"recipe\.masking": {"recipe": {"masking": "random"}},
        r"config\.hidden_size": {"config": {"hidden_size": 16}},
        "preset": {"preset": "small"},
        "held_out": {"held_out": ["b"]},
        r"weights\.a": {"weights": {"a": 2}},
        "genome": {"sources": other},
    }
    for name, options in changes.items():
        with pytest.raises(ValueError, match=f"but {name} was .*; give the same, or begin anew"):
            run("out", resume=True, **options)
    assert run("out", resume=True).steps == 6


def test_a_folder_in_use_is_left_alone_unless_told_otherwise(run):
    first = run("out")
    before = weights(first)
    with pytest.raises(ValueError, match="must be empty, found files"):
        run("out")
    with pytest.raises(ValueError, match=r"must not be finished, found its metrics\.json"):
        run("out", resume=True)
    again = run("out", overwrite=True, arguments={"seed": 1})
    assert not torch.equal(weights(again)["cls.predictions.bias"], before["cls.predictions.bias"])


def test_training_goes_on_from_a_checkpoint(run, tmp_path):
    rates = {"learning_rate": 5e-3, "max_steps": 30}
    first = run("first", arguments=rates)
    second = run("second", model=first.output_dir, arguments={"learning_rate": 1e-9})
    assert losses(second)[0][1] < losses(first)[0][1] - 0.8
    for name, values in weights(first).items():
        torch.testing.assert_close(weights(second)[name], values, atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match="k must be that of the checkpoint, 3, got 4"):
        run("third", model=first.output_dir, config={"k": 4})


def test_training_on_short_segments_goes_on_with_long_ones(run):
    short = run("short", recipe={"max_tokens": 20})
    long = {"model": short.output_dir, "arguments": {"learning_rate": 1e-9}}
    extended = run("extended", recipe={"extend_from": 20}, **long)
    name = "bert.embeddings.position_embeddings.weight"
    before, after = weights(short)[name], weights(extended)[name]
    torch.testing.assert_close(after[:21], before[:21], atol=1e-6, rtol=0)
    assert (after[21:] - before[21:]).abs().max() > 0.01
    assert report_of(extended)["tokens"] > 1.5 * report_of(short)["tokens"]
    stages = [(stage["model"], stage["max_tokens"]) for stage in report_of(extended)["stages"]]
    assert stages == [("random", 20), (str(short.output_dir), 510)]


def test_epochs_are_passes_over_the_genome(run, genome, tmp_path):
    options = {"recipe": {"segments": "cut"}, "preset": "mini"}
    store = open_genome(genome, cache_dir=tmp_path / "cache")
    cut = SegmentOptions(
        k=3, mode="cut", max_tokens=62, reverse_complement=True, seed=42, batch_size=4
    )
    dataset = SegmentDataset(store, cut)
    # 2,300 bases in cuts of 50 on average.
    assert 40 <= dataset.count(1) <= 60
    for n_passes, n_segments in ((1, dataset.count(1)), (0.5, dataset.count(1) / 2)):
        arguments = {"num_train_epochs": n_passes, "max_steps": -1}
        result = run(f"passes {n_passes}", arguments=arguments, **options)
        assert result.steps == round(n_segments / 4)
    two = run("two", arguments={"num_train_epochs": 2, "max_steps": -1}, **options)
    assert two.steps == dataset.count(2) / 4
    dataset.length = dataset.count(2)
    assert two.n_tokens == sum(len(item["input_ids"]) for item in dataset.stream())


@pytest.mark.parametrize(
    ("recipe", "stages"),
    [
        ({"masking": "constant", "mlm_probability": 0.25}, [(0, 0.25, 3)]),
        (
            {"masking": "published", "mlm_probability": 0.1, "late_mlm_probability": 0.4},
            [(0, 0.1, 3), (20, 0.4, 3)],
        ),
        (
            {"masking": "random", "mlm_probability": 0.2},
            [(0, 0.2, 3), (4, 0.2, 5), (9, 0.2, 7), (14, 0.2, 9), (19, 0.2, 11)],
        ),
    ],
)
def test_the_recipe_decides_the_masks(run, recipe, stages):
    spy = Spy()
    run("out", recipe=recipe, callbacks=[spy])
    schedule = spy.collate.schedule or [MaskingStage(0, spy.collate.mlm_probability)]
    # Six steps of four segments: 24 examples, of which the last sixth begins at 20.
    assert [(s.begin, s.mlm_probability, s.max_span or 3) for s in schedule] == stages
    assert spy.collate.per_span


def test_workers_do_not_change_the_run(run):
    alone = run("alone")
    assert_same_weights(alone, run("workers", arguments={"dataloader_num_workers": 2}))


def test_without_held_out_dna_there_are_no_scores(run):
    result = run("out", arguments={"eval_strategy": "steps", "eval_steps": 2})
    assert result.scores is None
    assert report_of(result)["scores"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"held_out": ["c"]}, "found none called 'c'; there is a, b"),
        ({"held_out": ["a:1000-1030"]}, "the DNA to score must have a run of"),
        ({"held_out": ["a", "b"]}, "must have a run of 7 known bases at least"),
        ({"validation_windows": 0, "held_out": ["b"]}, "n_windows must be 1 or more, .* got 0"),
        ({"preset": "tiny"}, "presets must be known by name, got 'tiny'; did you mean mini"),
        ({"recipe": {"mask": 1}}, "recipe fields must be known by name, got 'mask'"),
        ({"recipe": {"config": {}}}, "recipe fields must be known by name, got 'config'"),
        ({"recipe": {"masking": "none"}}, "masking must be known by name, got 'none'"),
        ({"recipe": {"weights": "zero"}}, "weights must be known by name, got 'zero'"),
        ({"recipe": {"segments": "all"}}, "segments must be .* got 'all'"),
        (
            {"recipe": {"mlm_probability": 1.5}},
            "a number above 0 and at most 1, got 1.5",
        ),
        ({"config": {"hidden": 8}}, "config fields must be known by name, got 'hidden'"),
        ({"arguments": {"output_dir": "x"}}, "leave out 'output_dir'; use output_dir of pretrain"),
        ({"weights": {"c": 1}}, "a weight must name a contig or a file of the genome, found 'c'"),
        ({"sources": "missing.fa"}, r"missing\.fa must be a FASTA file, found no such file"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(run, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        run("out", **options)
    assert not (tmp_path / "out").exists()


def test_an_error_in_training_gives_the_signals_back(run):
    class Failure(TrainerCallback):
        def on_step_end(self, *args, **kwargs):
            raise RuntimeError("no more")

    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with pytest.raises(RuntimeError, match="no more"):
        run("out", callbacks=[Failure()])
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers


def test_positions_of_random_weights_cannot_be_carried_on(run):
    with pytest.raises(ValueError, match=r"extend_from=20 tells .* training begins from random"):
        run("out", recipe={"extend_from": 20})


class Rates(TrainerCallback):
    def on_step_end(self, args, state, control, *, optimizer, **kwargs):
        self.found = {
            group.get("muon", False): group["initial_lr"] for group in optimizer.param_groups
        }


@pytest.mark.parametrize(
    ("rate", "recipe", "expected"),
    [
        (3e-3, {}, {True: 0.02, False: 3e-3}),
        (6e-3, {}, {True: 0.04, False: 6e-3}),
        (6e-3, {"muon_learning_rate": 0.01}, {True: 0.01, False: 6e-3}),
        (6e-3, {"optimizer": "adamw"}, {False: 6e-3}),
    ],
)
def test_one_learning_rate_moves_both_parts_of_muon(run, rate, recipe, expected):
    spy = Rates()
    run("out", arguments={"max_steps": 1, "learning_rate": rate}, recipe=recipe, callbacks=[spy])
    assert spy.found == pytest.approx(expected)
