"""Callbacks of a training run: a progress bar and one line an evaluation."""

import logging
from typing import Any

from transformers import (
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

__all__ = ["EvaluationLog", "QuietProgress", "replace_printing"]

logger = logging.getLogger(__name__)


class QuietProgress(ProgressCallback):
    """Progress bar on stderr that prints no dictionaries to stdout."""

    def on_log(self, *args: Any, **kwargs: Any) -> None:
        """Leave the log to `EvaluationLog`."""


class EvaluationLog(TrainerCallback):
    """Logs one line after each evaluation: where training stands and what the scores are."""

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002 - the Trainer passes it by position
        metrics: dict[str, float] | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Log the scores of the validation set."""
        if not state.is_world_process_zero:
            return
        shown = ("loss", "accuracy", "mcc", "auroc", "f1", "spearman", "rmse")
        found = {name: (metrics or {}).get(f"eval_{name}") for name in shown}
        scores = ", ".join(f"{n} {value:.4f}" for n, value in found.items() if value is not None)
        logger.info(
            "epoch %.4g of %g, step %d of %d: validation %s",
            state.epoch or 0,
            args.num_train_epochs,
            state.global_step,
            state.max_steps,
            scores,
        )


def replace_printing(trainer: Trainer) -> None:
    """Take the Trainer's own printing away and put the callbacks of this module in its place."""
    trainer.remove_callback(PrinterCallback)
    if trainer.pop_callback(ProgressCallback) is not None:
        trainer.add_callback(QuietProgress)
    trainer.add_callback(EvaluationLog)
