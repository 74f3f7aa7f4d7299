"""A folder with the files that the guides name, and a model of a training of three steps."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from made_up import write_made_up_data
from running import run_command


@pytest.fixture(scope="session")
def _example(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_made_up_data(folder)
        run_command("dnabert dataset peaks peaks.narrowPeak --genome genome.fa -o peaks.tsv")
        run_command("dnabert finetune peaks.tsv -o peaks-model")
    return folder


@pytest.fixture
def work_folder(_example, tmp_path, monkeypatch):
    """What a reader has before a page: the made-up files, and the model of the first guide."""
    shutil.copytree(_example, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path
