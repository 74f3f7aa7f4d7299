import pytest
from typer.testing import CliRunner

from dnabert_hf.cli.main import app


@pytest.fixture
def table(tmp_path):
    (tmp_path / "t.tsv").write_text("id\tsequence\tlabel\nx\tACGTACGTACGT\t1\n")
    return tmp_path / "t.tsv"


@pytest.mark.parametrize(
    "arguments",
    [
        ["tokenize", "T", "--k", "3", "-o", "T"],
        ["predict", "dnabert-6-mini", "T", "-o", "T"],
        ["embed", "dnabert-6-mini", "T", "-o", "T"],
        ["variants", "dnabert-6-mini", "T", "--genome", "G", "--window", "9", "-o", "T"],
        ["variants", "dnabert-6-mini", "G", "--genome", "T", "--window", "9", "-o", "T"],
        ["scan", "dnabert-6-mini", "T", "--window", "9", "--step", "9", "-o", "T"],
        ["scan", "dnabert-6-mini", "G", "--window", "9", "--step", "9", "-o", "x", "--calls", "x"],
        ["dataset", "windows", "--genome", "T", "--length", "9", "-o", "T"],
        ["attention", "dnabert-6-mini", "T", "-o", "T"],
        ["mutagenesis", "dnabert-6-mini", "T", "-o", "x", "--plot", "x"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_every_command_compares_its_paths(table, tmp_path, arguments):
    (tmp_path / "g.fa").write_text(">c\nACGTACGTACGT\n")
    names = {"T": str(table), "G": str(tmp_path / "g.fa"), "x": str(tmp_path / "x.tsv")}
    before = table.read_bytes()
    result = CliRunner().invoke(
        app, [*(names.get(each, each) for each in arguments), "--overwrite"], color=False
    )
    assert result.exit_code == 2
    assert "which would be lost" in result.stderr or "found it given to two" in result.stderr
    assert table.read_bytes() == before


@pytest.mark.parametrize(
    "arguments", ["embed M T -o M/model.safetensors", "finetune T --init M -o M"]
)
def test_no_output_takes_the_place_of_the_model(table, tmp_path, arguments):
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"weights")
    text = arguments.replace("M", str(model)).replace("T", str(table))
    result = CliRunner().invoke(app, [*text.split(), "--overwrite"], color=False)
    assert result.exit_code == 2
    assert "which would be lost" in result.stderr
    assert (model / "model.safetensors").read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "pretrain T -o x --steps 0",
            "--steps must be 1 or more (and at most",
        ),
        ("pretrain T -o x --steps 99999999999999999999", "--steps must be 1 or more"),
        ("pretrain T -o x --batch-size 99999999999999999999", "--batch-size must be 1 or more"),
        (
            "pretrain T -o x --learning-rate 99999999999999999999",
            "--learning-rate must be above 0",
        ),
        (
            "pretrain T -o x --learning-rate 0",
            "--learning-rate must be above 0 and at most 1, got 0.0",
        ),
        ("pretrain T -o x --passes nan", "--passes must be above 0 and at most 1e+06, got"),
        ("pretrain T -o x --passes 2 --steps 9", "give --passes or --steps, got both: 2.0 and 9"),
        ("finetune T -o x --epochs 0", "--epochs must be above 0"),
        ("finetune T -o x --epochs inf", "--epochs must be above 0"),
        (
            "finetune T -o x --learning-rate 1e20",
            "--learning-rate must be above 0 and at most 1, got",
        ),
        (
            "finetune T -o x --learning-rate nan",
            "--learning-rate must be above 0 and at most 1, got nan",
        ),
        ("finetune T -o x --batch-size 0", "--batch-size must be 1 or more"),
        ("finetune T -o x --k 100000000", "--k must be from 2 to 8, got 100000000"),
        ("finetune T -o x --seed -1", "--seed must be from 0 to 4.29497e+09, got -1"),
        (
            "motifs dnabert-6-mini T -o x --min-len 99999999999999999999",
            "--min-len must be 1 or",
        ),
        ("motifs dnabert-6-mini T -o x --max-q nan", "--max-q must be from 0 to 1, got nan"),
        ("scan dnabert-6-mini T --window 0 --step 1 -o x.tsv", "--window must be 1 or more"),
        ("scan dnabert-6-mini T --window 9 --step 1 -o x.tsv --threshold nan", "--threshold must"),
        ("predict dnabert-6-mini T --batch-tokens 0", "--batch-tokens must be 1 or more"),
        ("dataset windows --genome T -o x.tsv --length 0", "--length must be 1 or more"),
    ],
)
def test_numbers_out_of_range_are_refused_before_anything(table, tmp_path, arguments, message):
    places = {"T": str(table), "x": str(tmp_path / "x")}
    words = [places.get(word, word) for word in arguments.split()]
    words = [str(tmp_path / word) if word.startswith("x.") else word for word in words]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [table]
