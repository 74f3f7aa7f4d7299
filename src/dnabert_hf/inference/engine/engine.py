"""The one loop that runs a model forward: order, batches, device, number format, memory."""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch

from dnabert_hf.inference.engine.checkpoint import Checkpoint
from dnabert_hf.inference.engine.precision import choose_device, choose_dtype, prepare_encoder
from dnabert_hf.inference.engine.sharding import WHOLE, Shard
from dnabert_hf.inference.engine.transfers import Arrival, send, without_cudnn_attention

__all__ = ["Compute", "Engine", "Window", "cut_into_windows"]

logger = logging.getLogger(__name__)

# Tokens a batch, padding included. On a CPU, BERT-base in bfloat16 did 4,700, 5,000 and 4,300
# tokens a second with 2,048, 4,096 and 8,192 of them (caches); a GPU needs more to be busy.
_BATCH_TOKENS = {"cpu": 4096, "cuda": 65536, "mps": 16384}
# Batches that a device may have before it, so that it computes while the host tokenizes.
_AHEAD = {"cuda": 2}
# Where padding counts: rows shorter than this share of the longest begin a batch of their own, if
# the one before has tokens enough to keep the device busy. Of rows of 20 to 512 tokens, 3 % are
# padding then.
_BUSY_TOKENS = {"cuda": 16384}
_NEAR = 0.95
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


# Gets the model and the inputs of a batch, and gives one tensor a row.
Compute = Callable[[Any, dict[str, torch.Tensor]], Sequence[torch.Tensor] | torch.Tensor]


class Window(NamedTuple):
    """A sequence, or a pair, that the model takes in one row.

    Attributes:
        sequence: DNA.
        sequence_b: Second sequence of a pair.
    """

    sequence: str
    sequence_b: str | None = None

    def n_tokens(self, k: int) -> int:
        """Count the tokens of the row, special ones included.

        Example:
            >>> Window("ACGTA").n_tokens(k=3), Window("ACGTA", "ACG").n_tokens(k=3)
            (5, 7)
        """
        n_tokens = len(self.sequence) - k + 3
        return n_tokens if self.sequence_b is None else n_tokens + len(self.sequence_b) - k + 2


def cut_into_windows(sequence: str, *, k: int, n_kmers: int) -> list[Window]:
    """Cut a sequence so that each of its k-mers is in exactly one window.

    Args:
        sequence: DNA of at least k bases.
        k: Bases per k-mer.
        n_kmers: K-mers in a window; the last one may have fewer.

    Returns:
        Windows in order; neighbours share k - 1 bases.

    Example:
        >>> [window.sequence for window in cut_into_windows("ACGTAC", k=3, n_kmers=2)]
        ['ACGT', 'GTAC']
    """
    starts = range(0, len(sequence) - k + 1, n_kmers)
    return [Window(sequence[start : start + n_kmers + k - 1]) for start in starts]


class Engine:
    """Runs windows through a model, fast and within memory.

    Args:
        checkpoint: Model and tokenizer. A model of the caller is not changed; what of it is on the
            device in the number format already is used, the rest is copied.
        device: "auto" or a device that torch knows.
        dtype: "auto", "float32", "bfloat16", "float16" or "int8".
        batch_tokens: Tokens a batch, padding included; by default what suits the device.
        shard: Which of several processes this is: those that were launched together get a GPU each,
            and the number format that the first of them finds best.

    Attributes:
        name: Name of the checkpoint.
        model: The model as it runs, on `device`, its encoder in `dtype`.
        tokenizer: Its tokenizer.
        device: The device chosen.
        dtype: The number format chosen.
        batch_tokens: Tokens a batch, padding included.
        on_batch: Called behind each batch with its share of the tokens of `run`, if set.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: str = "auto",
        dtype: str = "auto",
        batch_tokens: int | None = None,
        shard: Shard = WHOLE,
    ):
        if batch_tokens is not None and batch_tokens < 1:
            raise ValueError(f"batch_tokens must be 1 or more, got {batch_tokens}")
        self.name = checkpoint.name
        self.tokenizer = checkpoint.tokenizer
        self.device = shard.place(choose_device(device))
        config = checkpoint.model.config
        own = None if checkpoint.is_ours else checkpoint.model.dtype
        self.dtype = shard.agree(
            choose_dtype(dtype, self.device, hidden_size=config.hidden_size, own=own)
        )
        self.model = prepare_encoder(
            checkpoint.model, device=self.device, dtype=self.dtype, is_ours=checkpoint.is_ours
        )
        self.batch_tokens = batch_tokens or _BATCH_TOKENS.get(self.device.type, 16384)
        self._padded_to = getattr(config, "attended_padding", None)
        self._room = self.batch_tokens  # shrinks when memory runs out
        self.on_batch: Callable[[float], None] | None = None

    def run(
        self,
        windows: Sequence[Window],
        compute: Compute,
        *,
        extras: Mapping[str, np.ndarray] | None = None,
        weight: float = 1,
    ) -> list[np.ndarray]:
        """Compute something for each window; for windows that are equal, once.

        Args:
            windows: Windows in any order.
            compute: Gets the model and the inputs of a batch, each of shape (rows, tokens) (no
                attention mask where nothing is padded: that is faster), and gives one tensor a row.
            extras: Numbers that belong to the windows, by name, each of shape (windows, ...); those
                of a batch are among its inputs.
            weight: Share of the work on a chunk that this is, for the progress.

        Returns:
            The results in the order of `windows`, float32; equal windows have one array.
        """
        distinct, rows = (windows, None) if extras is not None else _distinct(windows)
        results: list[np.ndarray] = [np.empty(0)] * len(distinct)

        def take(batch: np.ndarray, arrival: Arrival) -> None:
            for index, output in zip(batch.tolist(), arrival.rows(), strict=True):
                results[index] = output

        self._run(distinct, compute, extras or {}, weight, take)
        return results if rows is None else [results[row] for row in rows]

    def stack(
        self, windows: Sequence[Window], compute: Compute, *, weight: float = 1
    ) -> np.ndarray:
        """Do what `run` does where windows give as many numbers each, without an array for each.

        Args:
            windows: At least one window, in any order.
            compute: Gives one tensor of all rows.
            weight: As in `run`.

        Returns:
            The results, shape (windows, ...), float32.
        """
        distinct, rows = _distinct(windows)
        results: np.ndarray | None = None

        def take(batch: np.ndarray, arrival: Arrival) -> None:
            nonlocal results
            outputs = arrival.array()
            if results is None:
                results = np.empty((len(distinct), *outputs.shape[1:]), dtype=np.float32)
            results[batch] = outputs

        self._run(distinct, compute, {}, weight, take)
        assert results is not None
        return results if rows is None else results[rows]

    def _run(
        self,
        windows: Sequence[Window],
        compute: Compute,
        extras: Mapping[str, np.ndarray],
        weight: float,
        take: Callable[[np.ndarray, Arrival], None],
    ) -> None:
        n_tokens = _count_tokens(windows, self.tokenizer.k)
        if self._padded_to:
            n_tokens = np.maximum(n_tokens, self._padded_to)
        # Longest first: too large a batch fails at the start, and rows of a batch are alike.
        order = np.argsort(-n_tokens, kind="stable")
        descending = n_tokens[order]
        under_way: deque[tuple[np.ndarray, Arrival]] = deque()
        n_ahead = _AHEAD.get(self.device.type, 0)

        def receive() -> None:
            batch, arrival = under_way.popleft()
            take(batch, arrival)
            if self.on_batch is not None:
                self.on_batch(weight * float(n_tokens[batch].sum() / n_tokens.sum()))

        begin = 0
        with torch.inference_mode():
            while begin < len(order):
                batch = order[begin : begin + self._n_rows(descending[begin:])]
                numbers = {name: values[batch] for name, values in extras.items()}
                arrival = self._try_batch([windows[i] for i in batch.tolist()], compute, numbers)
                if arrival is None:
                    self._room = max(1, len(batch) // 2 * int(n_tokens[batch[0]]))
                    continue
                begin += len(batch)
                under_way.append((batch, arrival))
                if len(under_way) > n_ahead:
                    receive()
            while under_way:
                receive()

    def _n_rows(self, n_tokens: np.ndarray) -> int:
        """Count the rows of the next batch, of rows with so many tokens, longest first."""
        longest = int(n_tokens[0])
        n_rows = max(1, self._room // longest)
        n_busy = _BUSY_TOKENS.get(self.device.type)
        if n_busy is None:
            return n_rows
        n_near = int(np.count_nonzero(n_tokens[:n_rows] >= _NEAR * longest))
        return min(n_rows, max(n_near, -(-n_busy // longest)))

    def _try_batch(
        self, windows: list[Window], compute: Compute, numbers: Mapping[str, np.ndarray]
    ) -> Arrival | None:
        """Compute a batch, or have a device begin it; None if there is not enough memory."""
        try:
            inputs = self.tokenize(windows)
            for name, values in numbers.items():
                inputs[name] = send(torch.from_numpy(values), self.device)
            is_masked = self.device.type == "cuda" and "attention_mask" in inputs
            with without_cudnn_attention() if is_masked else nullcontext():
                return Arrival(compute(self.model, inputs))
        except RuntimeError as error:  # torch.cuda.OutOfMemoryError is one
            if len(windows) == 1 or not any(text in str(error) for text in _OUT_OF_MEMORY):
                raise
        logger.warning("out of memory with %d sequences a batch: going on with half", len(windows))
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def tokenize(self, windows: Sequence[Window]) -> dict[str, torch.Tensor]:
        """Turn windows into the inputs of the model, on its device.

        Args:
            windows: Either all pairs or none.

        Returns:
            Tensors of shape (windows, tokens), with the padding that the model attends to; no
            attention mask where nothing is padded.
        """
        sequences = [window.sequence for window in windows]
        pairs = [window.sequence_b for window in windows if window.sequence_b is not None]
        padding: dict[str, Any] = {"padding": True}
        if self._padded_to:
            longest = int(_count_tokens(windows, self.tokenizer.k).max())
            padding = {"padding": "max_length", "max_length": max(longest, self._padded_to)}
        inputs = dict(
            self.tokenizer(sequences, pairs or None, return_tensors="pt", verbose=False, **padding)
        )
        if bool(inputs["attention_mask"].all()):
            del inputs["attention_mask"]
        return {name: send(tensor, self.device) for name, tensor in inputs.items()}


def _distinct(windows: Sequence[Window]) -> tuple[Sequence[Window], list[int] | None]:
    """Give each window once, and the row of each; None where all differ."""
    rows = {window: row for row, window in enumerate(dict.fromkeys(windows))}
    if len(rows) == len(windows):
        return windows, None
    return list(rows), [rows[window] for window in windows]


def _count_tokens(windows: Sequence[Window], k: int) -> np.ndarray:
    """Count the tokens of each window, as `Window.n_tokens` does, shape (windows,)."""
    n_tokens = np.array([len(window.sequence) for window in windows], dtype=int) - k + 3
    pairs = [row for row, window in enumerate(windows) if window.sequence_b is not None]
    if pairs:
        n_tokens[pairs] += [len(windows[row].sequence_b or "") - k + 2 for row in pairs]
    return n_tokens
