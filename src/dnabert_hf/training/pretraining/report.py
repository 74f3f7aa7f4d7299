"""What a pretraining run leaves behind: the model, its card, metrics and curves."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from dnabert_hf.cards.pretrained import pretraining_card
from dnabert_hf.files.atomic import set_usual_modes, write_json, write_text
from dnabert_hf.files.environment import package_versions
from dnabert_hf.files.weights import quiet_transformers
from dnabert_hf.training.pretraining.trainer import PretrainingTrainer
from dnabert_hf.training.shared.curves import plot_pretraining
from dnabert_hf.training.shared.run_folder import RunFolder

__all__ = ["PretrainResult", "report_run"]


@dataclass(frozen=True)
class PretrainResult:
    """What a pretraining run found.

    Attributes:
        output_dir: Folder with the model, its tokenizer and the reports.
        steps: Optimiser steps made.
        n_tokens: Tokens read, padding not counted.
        scores: Of held-out DNA at the end, see `HeldOutScorer`; None where none was held out.
    """

    output_dir: Path
    steps: int
    n_tokens: int
    scores: dict[str, float] | None


def report_run(
    trainer: PretrainingTrainer, folder: RunFolder, settings: dict[str, Any]
) -> PretrainResult:
    """Write the model with its reports."""
    state = trainer.state
    if not any("eval_loss" in e and e["step"] == state.global_step for e in state.log_history):
        trainer.evaluate()
    history = [entry for entry in state.log_history if "train_loss" not in entry]
    evaluations = [entry for entry in history if "eval_bits_per_base" in entry]
    scores = None
    if evaluations:
        names = [name for name in evaluations[-1] if name.startswith("eval_")]
        scores = {name.removeprefix("eval_"): evaluations[-1][name] for name in names}
    with quiet_transformers():
        trainer.save_model(str(folder.path))
    if trainer.is_world_process_zero():
        plot_pretraining(history, folder.path / "curves.png")
        config = trainer.accelerator.unwrap_model(trainer.model).config
        report = {
            "scores": scores,
            "tokens": int(state.num_input_tokens_seen),
            "train_seconds": _total_seconds(state.log_history),
            **settings,
            "k": config.k,
            "layers": config.num_hidden_layers,
            "hidden_size": config.hidden_size,
            "parameters": trainer.accelerator.unwrap_model(trainer.model).num_parameters(),
            "bf16": trainer.args.bf16,
            "processes": trainer.args.world_size,
            "versions": package_versions(),
            "history": history,
        }
        report["stages"] = [*_earlier_stages(settings["model"]), _stage(report, trainer.args)]
        card = pretraining_card(report, name=folder.path.resolve().name)
        write_text(card, folder.path / "README.md")
        set_usual_modes(folder.path, "*.safetensors")
        write_json(report, folder.path / "metrics.json")  # last: it says that the run is finished
        folder.finish()
    trainer.accelerator.wait_for_everyone()
    return PretrainResult(folder.path, state.global_step, int(state.num_input_tokens_seen), scores)


def _total_seconds(log_history: Sequence[Mapping[str, Any]]) -> float:
    """Add up the time of a run and of those that it went on from: the clock began anew in each."""
    clock = [entry["train_runtime"] for entry in log_history if "train_runtime" in entry]
    ends = [now for now, after in pairwise(clock) if after < now]
    return float(sum(ends) + clock[-1])


def _stage(report: Mapping[str, Any], training: TrainingArguments) -> dict[str, Any]:
    """Sum up this run for the report, which also tells of the runs that its model comes from."""
    recipe = report["recipe"]
    return {
        "model": report["model"],
        "max_tokens": recipe["max_tokens"],
        "steps": report["steps"],
        "segments_a_step": report["segments_a_step"],
        "tokens": report["tokens"],
        "learning_rate": training.learning_rate,
        "mlm_probability": recipe["mlm_probability"],
        "train_seconds": report["train_seconds"],
        "seed": training.seed,
    }


def _earlier_stages(model: str) -> list[dict[str, Any]]:
    path = Path(model) / "metrics.json"
    if not path.is_file():
        return []
    stages: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")).get("stages", [])
    return stages
