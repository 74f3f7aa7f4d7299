"""Copies between the host and a device, which on CUDA nobody waits for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["Arrival", "send", "without_cudnn_attention"]

# Larger outputs, in bytes, are waited for: page-locked memory is what other programs cannot have.
_MAX_PINNED = 1 << 28


def send(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a tensor of the host to a device; CUDA does it while the host goes on.

    Args:
        tensor: Tensor on the CPU.
        device: Where to.
    """
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class Arrival:
    """Outputs of a batch, on their way to the host.

    Args:
        outputs: A tensor a row, or one tensor of all rows.
    """

    def __init__(self, outputs: Sequence[torch.Tensor] | torch.Tensor):
        self._shapes: list[torch.Size] | None = None
        if not isinstance(outputs, torch.Tensor):
            self._shapes = [output.shape for output in outputs]
            outputs = torch.cat([output.reshape(-1) for output in outputs])  # one copy for all
        outputs = outputs.float()
        self._event: torch.cuda.Event | None = None
        if outputs.device.type != "cuda" or outputs.nbytes > _MAX_PINNED:
            self._host = outputs.cpu()
            return
        self._host = torch.empty(outputs.shape, dtype=torch.float32, pin_memory=True)
        self._host.copy_(outputs, non_blocking=True)
        self._event = torch.cuda.Event()
        self._event.record(torch.cuda.current_stream(outputs.device))

    def array(self) -> np.ndarray:
        """Wait for the outputs, and give those of all rows, one behind the other, float32."""
        array = self._host.numpy()
        if self._event is not None:
            self._event.synchronize()
            array = array.copy()  # page-locked memory goes to the next batch
        return array

    def rows(self) -> list[np.ndarray]:
        """Wait for the outputs, and give those of each row, float32."""
        array = self.array()
        if self._shapes is None:
            return [array[row, ...] for row in range(len(array))]
        ends = np.cumsum([shape.numel() for shape in self._shapes])[:-1]
        parts = np.split(array, ends)
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]


@contextmanager
def without_cudnn_attention() -> Iterator[None]:
    """Leave masked attention to the kernels that need no plan for each new shape of a batch.

    cuDNN's builds one, and batches of mixed lengths have a shape each.
    """
    before = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)
