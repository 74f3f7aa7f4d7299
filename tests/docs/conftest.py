"""A folder with the example data, its genome cut short, and a model of a training of two steps."""

import shutil
import sys
from pathlib import Path

import pytest

from dnabert_hf import DNABertConfig, DNABertForMaskedLM, DNABertTokenizer
from dnabert_hf.data.example.files import write_example_data

sys.path.insert(0, str(Path(__file__).parent))
from running import run_command

_LENGTH = 50_000  # bases of a contig that are left
# Column of the last position of a line, by the end of the name.
_LAST = {".bed": 2, ".narrowPeak": 2, ".gtf": 4, ".vcf": 1}


def _cut(folder: Path) -> None:
    """Leave the first bases of each contig, and what lies in them."""
    records = (folder / "genome.fa").read_text().split(">")[1:]
    contigs = ((name, "".join(lines)) for name, *lines in map(str.split, records))
    cut = "".join(f">{name}\n{sequence[:_LENGTH]}\n" for name, sequence in contigs)
    (folder / "genome.fa").write_text(cut)
    for path in folder.iterdir():
        if path.suffix in _LAST:
            lines = path.read_text().splitlines(keepends=True)
            last = _LAST[path.suffix]
            kept = (x for x in lines if x[0] == "#" or int(x.split("\t")[last]) <= _LENGTH)
            path.write_text("".join(kept))


@pytest.fixture(scope="session")
def _example(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages") / "example"
    write_example_data(folder)
    _cut(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_command("dnabert finetune peaks.tsv -o peaks-model")
    # Where `dnabert run` starts.
    config = DNABertConfig(
        k=3, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    DNABertForMaskedLM(config).save_pretrained(folder / "tiny")
    DNABertTokenizer(k=3).save_pretrained(folder / "tiny")
    return folder


@pytest.fixture
def work_folder(_example, tmp_path, monkeypatch):
    """What a reader has before a page: the example data, and the model of the quickstart."""
    shutil.copytree(_example, tmp_path / "example")
    monkeypatch.chdir(tmp_path / "example")
    return tmp_path / "example"
