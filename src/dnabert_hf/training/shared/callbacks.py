"""Callbacks of a training run: a progress bar, one line an evaluation, and where going on fails."""

import logging
import pickle
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

from dnabert_hf.files.weights import without_bars

__all__ = ["EvaluationLog", "QuietProgress", "replace_printing", "train_from"]

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


class _FirstStep(TrainerCallback):
    """Notes that a step has begun: by then all of a checkpoint has been read."""

    has_begun = False

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Note it."""
        self.has_begun = True


def train_from(trainer: Trainer, checkpoint: str | None) -> Any:
    """Train, from a checkpoint if there is one.

    Args:
        trainer: The trainer.
        checkpoint: Folder of the checkpoint; None to begin.

    Returns:
        What `Trainer.train` does.

    Raises:
        ValueError: If the checkpoint is damaged, or that of another run.
    """
    first_step = _FirstStep()
    trainer.add_callback(first_step)
    try:
        with without_bars():
            return trainer.train(resume_from_checkpoint=checkpoint)
    # Whatever torch and transformers raise where a file holds something else.
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, OSError, EOFError,
            pickle.UnpicklingError) as error:  # fmt: skip
        if checkpoint is None or first_step.has_begun:
            raise
        reason = next(iter(str(error).strip().splitlines()), "")
        if isinstance(error, pickle.UnpicklingError):  # whose own words advise to run the code
            reason = "code to run, or a damaged file"
        raise ValueError(
            f"{checkpoint} must hold the whole model, optimizer and state of this run, but reading "
            f"them failed ({type(error).__name__}: {reason}); delete it, to go on from the "
            "checkpoint before it or, without one, from the beginning"
        ) from error


def replace_printing(trainer: Trainer) -> None:
    """Take the Trainer's own printing away and put the callbacks of this module in its place."""
    trainer.remove_callback(PrinterCallback)
    if trainer.pop_callback(ProgressCallback) is not None:
        trainer.add_callback(QuietProgress)
    trainer.add_callback(EvaluationLog)
