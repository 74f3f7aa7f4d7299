"""Names on the command line that can be refused without torch, and are."""

import re
import subprocess
import sys
import time

import huggingface_hub
import pytest
from typer.testing import CliRunner

from dnabert_hf.cli.main import app
from dnabert_hf.cli.options.early import model_name


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "peaks-model").mkdir()
    (tmp_path / "peaks-model" / "config.json").write_text("{}")
    (tmp_path / "peaks.fa").write_text(">a\nACGTACGT\n")
    (tmp_path / "done.tsv").write_text("id\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


CASES = [
    ("predict peaks-modl peaks.fa", "no folder peaks-modl; there is peaks-model; a model is"),
    ("predict ./none peaks.fa", "no folder ./none; a model is a folder, a checkpoint of"),
    ("embed a/b/c peaks.fa -o x.parquet", "no folder a/b/c (nor a folder a/b); a model is"),
    ("predict dnabert-6-mini peak.fa", "no file peak.fa; there is peaks.fa; check the path"),
    ("predict dnabert-6-mini peaks.fa -o done.tsv", "done.tsv must not exist yet, or overwrite"),
    ("predict dnabert-6-mini peaks.fa -o no/x.tsv", "must lie in a folder that exists"),
    ("scan dnabert-6-mini g.fa --window 9 --step 3 -o w.tsv", "no file g.fa"),
    ("variants dnabert-6-mini v.vcf --genome peaks.fa -o o.vcf", "no file v.vcf; check the path"),
    ("finetune peaks.tsv -o new", "no file or folder peaks.tsv; there is peaks.fa"),
    ("finetune train=peaks.fa test=t.fa -o new", "no file or folder t.fa"),
    ("finetune peaks.fa -o peaks-model", "peaks-model: the output folder must be empty, found"),
    ("finetune peaks.fa --init rando -o new", "did you mean random? no folder rando; a model is"),
    ("finetune peaks.fa --init CNN_GRU -o new", "did you mean cnn-gru? no folder CNN_GRU"),
    ("predict DNABERT-6-mini peaks.fa", "no folder DNABERT-6-mini; did you mean dnabert-6-mini?"),
    ("predict dnabert_3 peaks.fa", "no folder dnabert_3; did you mean dnabert-3-mini?"),
    ("predict dnabert-7-mini peaks.fa", "minis have k = 3 to 6: did you mean dnabert-6-mini?"),
    ("predict dnabert-6-min peaks.fa", "no folder dnabert-6-min; did you mean dnabert-6-mini?"),
    ("pretrain hg39.fa -o new", "no file hg39.fa; check the path"),
    ("evaluate-mlm dnabert-6-mini hg39.fa", "no file hg39.fa; check the path"),
]


@pytest.mark.parametrize(("command", "message"), CASES, ids=[c.split(" -")[0] for c, _ in CASES])
def test_it_is_one_line_with_exit_code_2(folder, command, message):
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith(f"dnabert {command.split()[0]}: error: ")
    assert message in line
    assert not (folder / "new").exists()


def test_a_repository_that_is_no_folder_is_said_to_be_looked_for(folder):
    result = CliRunner().invoke(app, ["predict", "peaks-model/sub", "peaks.fa"])
    assert "no folder peaks-model/sub; looking for it on the Hub" in result.stderr


def test_what_is_heavy_is_imported_when_it_is_needed(folder):
    """One process: names are refused and tokens written without torch, models run without more.

    transformers' BertModel itself imports torch._dynamo, sympy and accelerate.
    """
    (folder / "peaks.vcf").write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\na\t4\t.\tT\tC\t.\t.\t.\n"
    )
    light = [c for c, _ in CASES] + ["tasks", "tasks tf", "--version"]
    tokens = "tokenize peaks.fa --k 3 -o tokens.tsv"
    models = [
        "embed dnabert-3-mini peaks.fa -o embeddings.parquet",
        "variants dnabert-3-mini peaks.vcf --genome peaks.fa --window 8 -o effects.parquet",
    ]
    heavy = ["datasets", "sklearn", "pandas", "matplotlib", "evaluate", "transformers.trainer"]
    code = (
        "import sys, dnabert_hf_command  # what the console script imports\n"
        "from typer.testing import CliRunner\n"
        "from dnabert_hf.cli.main import app\n"
        "run = lambda command: CliRunner().invoke(app, command.split()).exit_code\n"
        "loaded = lambda names: [name for name in names if name in sys.modules]\n"
        f"for command in {light!r}: run(command)\n"
        f"print(loaded(['torch', 'transformers', 'datasets']))\n"
        f"print(run({tokens!r}), loaded(['torch', *{heavy!r}]))\n"
        f"print([run(command) for command in {models!r}], loaded({heavy!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "0 []", "[0, 0] []"]


def test_a_hub_that_does_not_answer_is_told_in_a_line(monkeypatch, tmp_path, capsys):
    """In place of half a minute of retries; names that no repository may have are refused."""
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    nobody = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", nobody)
    (tmp_path / "runs" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    begin = time.monotonic()
    with pytest.raises(ValueError, match=r"^runs/modl: .* and the Hub cannot be reached \("):
        model_name("runs/modl")
    assert time.monotonic() - begin < 5
    assert "no folder runs/modl; there is runs/model; looking" in capsys.readouterr().err
    for name in ("runs/modl/", "runs/my modl", "runs/a..b", "runs/modl.git", "runs/-x", "~/modl"):
        with pytest.raises(ValueError, match=f"^no folder {re.escape(name)}"):
            model_name(name)
