"""The Trainer of pretraining: segments in their own order, evaluated by masked bases."""

import logging
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from torch.utils.data import SequentialSampler
from tqdm import tqdm
from transformers import (
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from dnabert_hf.training.pretraining.throughput import peak_matmul_flops, training_flops

__all__ = ["PretrainingTrainer", "Progress", "StopOnSignal"]

logger = logging.getLogger(__name__)


class PretrainingTrainer(Trainer):
    """Trainer that reads a `SegmentDataset` in order and scores held-out bases.

    Args:
        score: Scores a model on held-out DNA: metric names to values, without prefix.
        **kwargs: As in `transformers.Trainer`.
    """

    def __init__(self, *, score: Callable[[Any], dict[str, float]] | None, **kwargs: Any):
        super().__init__(**kwargs)
        self.score = score

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        dataset: Any = self.train_dataset if train_dataset is None else train_dataset
        return SequentialSampler(dataset)

    def evaluate(self, *_: Any, metric_key_prefix: str = "eval", **__: Any) -> dict[str, float]:
        """Score the model on held-out DNA, on the first process; the others get what it found."""
        metrics: dict[str, float] = {}
        if self.score is not None:
            found: list[dict[str, float]] = [{}]
            if self.is_world_process_zero():
                model = self.accelerator.unwrap_model(self.model)
                was_training = model.training
                model.eval()
                found = [self.score(model)]
                model.train(was_training)
            (scores,) = broadcast_object_list(found)
            metrics = {f"{metric_key_prefix}_{name}": value for name, value in scores.items()}
            self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics


class StopOnSignal(TrainerCallback):
    """Ends training with a checkpoint when the process gets SIGTERM or Ctrl-C.

    The signal only leaves a note: the step that runs is finished on every process, all of them
    agree to stop, and the Trainer saves as it always does, so that the run can go on as if it had
    not been stopped. It listens within `with`, and gives the signals back however that ends.

    Attributes:
        received: Name of the signal that ended the training, None if there was none.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._noted = 0
        self._handlers: dict[int, Any] = {}

    def _note(self, number: int, _: FrameType | None) -> None:
        self._noted = number

    def __enter__(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._handlers[number] = signal.signal(number, self._note)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **_: Any,
    ) -> None:
        """Stop after this step if any process got a signal."""
        number = self._noted
        if torch.distributed.is_initialized():
            noted = torch.tensor(number, device=args.device)
            torch.distributed.all_reduce(noted, torch.distributed.ReduceOp.MAX)
            number = int(noted)
        if number and state.global_step < state.max_steps:
            self.received = signal.Signals(number).name
            control.should_log = True  # a checkpoint does not hold the losses since the last log
            control.should_save = True
            control.should_training_stop = True

    def raise_if_received(self, state: TrainerState) -> None:
        """Raise a KeyboardInterrupt that says how to go on, if a signal ended the training."""
        if self.received:
            raise KeyboardInterrupt(
                f"stopped by {self.received} at step {state.global_step} of {state.max_steps}; a "
                "checkpoint is kept: give the same again with resume (--resume) to go on"
            )


class Progress(TrainerCallback):
    """Shows loss, speed, share of the machine's matrix peak and time left.

    On a terminal as a bar, otherwise as a line of the log each time the Trainer logs. What held-out
    scores and checkpoints take is part of the time left, and not of the speed. The first step,
    which may compile, tells of neither once there are others.

    Args:
        n_tokens: Tokens of the longest segment.
    """

    def __init__(self, *, n_tokens: int) -> None:
        self._n_tokens = n_tokens
        self._bar: Any = None
        self._begin = 0.0
        self._step_end = 0.0
        self._pauses = 0.0  # seconds
        self._first_step = 0
        self._tokens_before = 0
        self._after_first = 0.0, 0.0, 0  # time, pauses, tokens
        self._peak: float | None = None
        self._flops_per_token = 0.0

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002 - the Trainer passes it by position
        model: Any = None,
        **_: Any,
    ) -> None:
        """Measure the peak and start the clock."""
        self._first_step, self._tokens_before = state.global_step, state.num_input_tokens_seen
        if not state.is_world_process_zero:
            return
        dtype = torch.bfloat16 if args.bf16 else torch.float32
        self._peak = peak_matmul_flops(args.device, dtype)
        self._flops_per_token = training_flops(model, self._n_tokens)
        self._begin = self._step_end = time.perf_counter()
        if not args.disable_tqdm:
            self._bar = tqdm(total=state.max_steps, initial=state.global_step, unit="step")

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Move the bar."""
        self._step_end = time.perf_counter()
        if state.global_step == self._first_step + 1:
            self._after_first = self._step_end, self._pauses, state.num_input_tokens_seen
        if self._bar is not None:
            self._bar.update(state.global_step - self._bar.n)

    def on_evaluate(self, *_: Any, **__: Any) -> None:
        """Take the time since the step, or since the last pause, for a pause."""
        now = time.perf_counter()
        self._pauses += now - self._step_end
        self._step_end = now

    on_save = on_evaluate

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Say how training goes."""
        logs = logs or {}
        if not state.is_world_process_zero or "train_loss" in logs:
            return
        if "eval_bits_per_base" in logs:
            self._say(
                f"step {state.global_step} of {state.max_steps}: held-out "
                f"{logs['eval_bits_per_base']:.4f} bits per base, accuracy "
                f"{logs['eval_accuracy']:.4f}, perplexity {logs['eval_perplexity']:.2f} per k-mer"
            )
        if "loss" not in logs:
            return
        steps = max(1, state.global_step - self._first_step)
        begin, pauses, n_tokens = self._begin, 0.0, self._tokens_before
        if steps > 1:
            (begin, pauses, n_tokens), steps = self._after_first, steps - 1
        seconds = self._step_end - begin
        rate = (state.num_input_tokens_seen - n_tokens) / (seconds - self._pauses + pauses)
        share = rate * self._flops_per_token / (self._peak or 1) / args.world_size
        left = (state.max_steps - state.global_step) * seconds / steps
        speed = f"{rate:,.0f} tokens/s, {share:.0%} of the matrix peak"
        if self._bar is not None:
            self._bar.set_postfix_str(f"loss {logs['loss']:.3f}, {speed}")
        else:
            minutes = f"{left / 60:.0f} min left"
            logger.info(
                "step %d of %d: loss %.4f, %s, %s",
                *(state.global_step, state.max_steps, logs["loss"], speed, minutes),
            )

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()

    def _say(self, text: str) -> None:
        if self._bar is not None:
            self._bar.write(text)
        else:
            logger.info("%s", text)
