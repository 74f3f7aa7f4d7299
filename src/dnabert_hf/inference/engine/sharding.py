"""One run shared by several processes: under torchrun, or as the tasks of an array job.

torch is imported where processes talk: what only writes a file does without.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

__all__ = ["WHOLE", "Shard", "resolve_shard"]

Value = TypeVar("Value")

# The first process waits for the slowest one, which may have days of work.
_PATIENCE = timedelta(days=30)


@dataclass(frozen=True)
class Shard:
    """The share of one process in a run: every `count`-th chunk of the input, from `index` on.

    The input is cut into the same chunks however many processes there are, and each chunk is
    computed alone, so that its results do not depend on who computes it.

    Attributes:
        index: Number of this process (0-based).
        count: Processes that share the run.
        is_rank: Whether they were launched together and talk to each other.
    """

    index: int = 0
    count: int = 1
    is_rank: bool = False

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def takes(self, chunk: int) -> bool:
        """Tell whether a chunk (0-based) is ours.

        Example:
            >>> [chunk for chunk in range(7) if Shard(1, 3).takes(chunk)]
            [1, 4]
        """
        return chunk % self.count == self.index

    def agree(self, value: Value) -> Value:
        """Give the value that the first of the processes passed; the others wait for it."""
        if not self.is_rank:
            return value
        import torch.distributed

        values: list[Any] = [value]
        torch.distributed.broadcast_object_list(values, src=0, group=_group())
        return values[0]

    def wait_for_all(self) -> None:
        """Go on when every process of the run has come here."""
        if self.is_rank:
            import torch.distributed

            torch.distributed.barrier(group=_group())

    def place(self, device: "torch.device") -> "torch.device":
        """Give each process of a machine a CUDA device of its own, where there are several."""
        import torch

        if not self.is_rank or device != torch.device("cuda"):
            return device
        local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        return torch.device("cuda", local_rank % torch.cuda.device_count())


WHOLE = Shard()


@cache
def _group() -> Any:
    """Make the group in which the processes talk: gloo, which needs no GPU of its own."""
    import torch.distributed

    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo", timeout=_PATIENCE)
    return torch.distributed.new_group(backend="gloo", timeout=_PATIENCE)


def resolve_shard(shard: str | None, output: str | Path | None) -> Shard:
    """Find out what the share of this process is.

    Args:
        shard: "I/N", part I (0-based) of N; None takes the rank under `torchrun` or `accelerate
            launch`, and otherwise everything.
        output: Where results go; without a file, nothing is shared.

    Raises:
        ValueError: If `shard` is no such text, or there is no file that several could write.

    Example:
        >>> resolve_shard("1/4", "out.tsv")
        Shard(index=1, count=4, is_rank=False)
    """
    n_ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if shard is None and (n_ranks == 1 or output is None):
        return WHOLE
    if output is None or str(output) == "-":
        raise ValueError(
            "several processes write one file, part by part, found no file to write; name one "
            "(--output)"
        )
    if shard is None:
        return Shard(int(os.environ["RANK"]), n_ranks, is_rank=True)
    if n_ranks > 1:
        raise ValueError(
            f"the work is shared either by --shard or by torchrun, got shard {shard} on one of "
            f"{n_ranks} processes; leave one of the two out"
        )
    index, slash, count = shard.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise ValueError(f"a shard must be written I/N with I from 0 to N - 1, got {shard!r}")
    return Shard(int(index), int(count))
