"""`pretrain` under torchrun: two processes do what one does with batches of twice the size."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dnabert_hf import DNABertForMaskedLM
from dnabert_hf.training.pretraining.pretrain import pretrain

SHARES = (0.7, 0.1, 0.1, 0.1)
SCRIPT = Path(__file__).with_name("pretraining_on_ranks.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder with a genome and the options of the runs, for two processes."""
    path = tmp_path_factory.mktemp("ranks")
    # Mostly A, which six steps are enough to learn something of.
    draws = (np.random.default_rng(seed).choice(list("ACGT"), 3000, p=SHARES) for seed in (1, 2))
    a, b = map("".join, draws)
    (path / "genome.fa").write_text(f">a\n{a[:1500]}NN{a[1500:]}\n>b\n{b[:300]}\n")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    arguments = {"use_cpu": True, "bf16": False, "logging_steps": 1, "save_strategy": "no"}
    options = {
        "genome": str(path / "genome.fa"),
        "preset": "mini",
        "config": sizes | {"k": 3, "intermediate_size": 64, "max_position_embeddings": 64},
        "held_out": ["b"],
        "arguments": arguments
        | {"max_steps": 6, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}
        | {"learning_rate": 5e-3, "eval_steps": 3},
    }
    (path / "options.json").write_text(json.dumps(options))
    return path


@pytest.fixture(scope="module")
def launched(folder):
    """Run the script on two processes, once for all tests; a run that hangs fails them all."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "DNABERT_HF_CACHE": str(folder / "cache")}
    return subprocess.run(
        [*command, SCRIPT, folder],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def history(folder, name):
    entries = json.loads((folder / "metrics.json").read_text())["history"]
    return [(entry["step"], entry[name]) for entry in entries if name in entry]


def test_two_processes_have_the_losses_of_one_with_twice_the_batch(folder, launched, monkeypatch):
    monkeypatch.setenv("DNABERT_HF_CACHE", str(folder / "cache"))
    options = json.loads((folder / "options.json").read_text())
    options["arguments"]["per_device_train_batch_size"] *= 2
    alone = pretrain(output_dir=folder / "alone", **options)
    for name, n_entries in (("loss", 6), ("eval_bits_per_base", 2)):
        steps, expected = zip(*history(folder / "alone", name), strict=True)
        found_steps, found = zip(*history(folder / "whole", name), strict=True)
        assert found_steps == steps
        assert len(found) == n_entries
        assert found == pytest.approx(expected, abs=1e-4)
    losses = [loss for _, loss in history(folder / "whole", "loss")]
    assert losses[5] < losses[0] - 0.2  # 0.32 to 0.42 with three seeds
    first, second = (
        DNABertForMaskedLM.from_pretrained(folder / name).state_dict()
        for name in ("alone", "whole")
    )
    for name, values in first.items():
        torch.testing.assert_close(second[name], values, atol=1e-3, rtol=0)
    ranks = [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in (0, 1)]
    assert {rank["tokens"] for rank in ranks} == {alone.n_tokens}


def test_every_rank_is_stopped_by_a_signal_to_one_and_goes_on_as_if_not_stopped(folder, launched):
    ranks = [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in (0, 1)]
    for rank in ranks:
        assert rank["message"].startswith("stopped by SIGTERM at step 3 of 6; a checkpoint is kept")
        assert rank["scores"][0] == rank["scores"][1]
    assert ranks[0]["scores"] == ranks[1]["scores"]
    for name in ("loss", "eval_bits_per_base"):
        assert history(folder / "parts", name) == history(folder / "whole", name)
    whole, parts = (folder / name / "model.safetensors" for name in ("whole", "parts"))
    assert parts.read_bytes() == whole.read_bytes()


def test_a_rank_that_fails_ends_the_run_with_its_error(folder, launched):
    assert launched.returncode != 0
    assert "RuntimeError: rank 1 has had enough" in launched.stderr
    assert not (folder / "failure" / "metrics.json").exists()
