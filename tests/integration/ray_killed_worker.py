"""What `test_examples.py` runs: the Ray example on a cluster of two cores, one worker killed.

Arguments: model, table, output, and a file that notes which processes were killed.
"""

import os
import runpy
import signal
import sys
from pathlib import Path

import ray

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "ray_parquet.py"))


class Mortal(EXAMPLE["Classifier"]):
    """Dies in its third batch, unless another did."""

    n_batches = 0

    def __call__(self, batch):
        self.n_batches += 1
        if self.n_batches == 3 and not Path(NOTE).exists():
            Path(NOTE).write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(batch)


if __name__ == "__main__":
    *paths, NOTE = sys.argv[1:]
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=80 << 20)
    EXAMPLE["classify"](*paths, workers=1, gpus=0, batch_size=32, classifier=Mortal)
