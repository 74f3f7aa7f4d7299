"""What `test_pretrain_on_ranks.py` runs under torchrun: whole, in two parts, and with a failure."""

import json
import os
import signal
import sys
from pathlib import Path

import torch
from transformers import TrainerCallback

from dnabert_hf.training.pretraining import throughput
from dnabert_hf.training.pretraining.pretrain import pretrain
from dnabert_hf.training.shared import curves

RANK = int(os.environ["RANK"])


class SignalToOneRank(TrainerCallback):
    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        if RANK == 1 and state.global_step == 2:
            os.kill(os.getpid(), signal.SIGTERM)


class FailureOfOneRank(TrainerCallback):
    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        if RANK == 1 and state.global_step == 1:
            raise RuntimeError("rank 1 has had enough")


def main(folder: Path) -> None:
    throughput._SIZE, throughput._SECONDS = 64, 0.01
    curves.save_figure = lambda figure, path: None  # the slowest part of a tiny training
    options = json.loads((folder / "options.json").read_text())
    whole = pretrain(output_dir=folder / "whole", **options)
    message = ""
    try:
        pretrain(output_dir=folder / "parts", callbacks=[SignalToOneRank()], **options)
    except KeyboardInterrupt as stop:
        message = str(stop)
    torch.rand(7)
    parts = pretrain(output_dir=folder / "parts", resume=True, **options)
    found = {"message": message, "scores": [whole.scores, parts.scores], "tokens": parts.n_tokens}
    (folder / f"rank-{RANK}.json").write_text(json.dumps(found))
    pretrain(output_dir=folder / "failure", callbacks=[FailureOfOneRank()], **options)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
