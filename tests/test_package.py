"""The house: what is installed, what it is called, and what must not be in it."""

import configparser
import doctest
import importlib
import os
import pkgutil
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import dnabert_hf

ROOT = Path(__file__).parents[1]
# An editable install keeps modeling/ where pkgutil does not find it.
MODELING = ["configuration_dnabert", "modeling_dnabert", "tokenization_dnabert"]
MODULES = sorted(
    {f"dnabert_hf.modeling.{name}" for name in MODELING}
    | {
        module.name
        for module in pkgutil.walk_packages(dnabert_hf.__path__, "dnabert_hf.")
        if not module.name.endswith((".generate", "__main__"))
    }
)


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_is_listed():
    listed = set(setup_cfg()["options"]["packages"].split())
    folders = {path.parent for path in (ROOT / "src" / "dnabert_hf").rglob("__init__.py")}
    found = {".".join(folder.relative_to(ROOT / "src").parts) for folder in folders}
    assert listed == found | {"dnabert_hf.modeling", "dnabert_hf.tokenizer_files"}


def test_public_names_exist():
    for name in dnabert_hf.__all__:
        assert getattr(dnabert_hf, name).__name__ == name
    stub = (ROOT / "src" / "dnabert_hf" / "__init__.pyi").read_text()
    assert sorted(re.findall(r"(\w+) as \1\b", stub)) == dnabert_hf.__all__  # each once
    assert set(dnabert_hf.__all__) <= set(dir(dnabert_hf))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dnabert_hf.nothing  # noqa: B018


@pytest.mark.parametrize("name", MODULES)
def test_module_lists_its_public_names_and_its_examples_are_true(name):
    module = importlib.import_module(name)
    if not module.__file__.endswith("__init__.py"):
        assert module.__all__
        assert all(hasattr(module, public) for public in module.__all__)
    assert doctest.testmod(module).failed == 0


def test_no_file_names_a_machine():
    """Paths of the machine it was made on have no place in a file of the repository."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    files = [ROOT / name for name in listed] or list(ROOT.glob("src/**/*.py"))
    places = {str(ROOT.parent) + os.sep, str(Path.home()) + os.sep} - {os.sep}
    for path in files:
        if path.is_file() and path.suffix in {".py", ".md", ".cfg", ".toml", ".json", ".txt", ""}:
            text = path.read_text(encoding="utf-8", errors="replace")
            for place in places:
                assert place not in text, f"{path} names {place}"


def test_import_leaves_random_state_logging_and_progress_bars_alone():
    code = """
import logging, random
import numpy, torch, datasets, transformers
random.seed(1); numpy.random.seed(1); torch.manual_seed(1)
def state():
    return (random.getstate(), str(numpy.random.get_state()), torch.get_rng_state().tolist(),
            logging.getLogger().level, len(logging.getLogger().handlers),
            transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled(),
            datasets.are_progress_bars_disabled(), torch.get_num_threads())
before = state()
import dnabert_hf
for name in dnabert_hf.__all__:
    getattr(dnabert_hf, name)
print(state() == before)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "True"


ORDERS = [
    "import dnabert_hf; from transformers import AutoConfig",
    "from transformers import AutoConfig; import dnabert_hf",
    "from transformers import AutoConfig, AutoModel, pipeline, Trainer; import dnabert_hf",
    "import dnabert_hf; from transformers import pipeline, AutoConfig",
    "from dnabert_hf.modeling import modeling_dnabert; from transformers import AutoConfig",
    "from dnabert_hf.modeling import tokenization_dnabert; from transformers import AutoConfig",
    "from transformers.models.auto import configuration_auto; import dnabert_hf; "
    "from transformers import AutoConfig",
    "import sys; sys.argv[0] = 'dnabert'; import dnabert_hf; from transformers import AutoConfig",
]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_registration_works_in_any_order_of_imports_and_under_any_name_of_the_program():
    """Each order in a process of its own, where only what transformers needs is imported."""
    folder = ROOT / "tokenizer_files" / "dnabert-4"
    code = f"""
import os
import accelerate, scipy.stats, sympy, torch._dynamo, torch._inductor.config
for order in {ORDERS}:
    if not os.fork():
        exec(order)
        print(type(AutoConfig.from_pretrained({str(folder)!r})).__name__, flush=True)
        os._exit(0)
    os.wait()
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["DNABertConfig"] * len(ORDERS), run.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_tokenizer_imports_no_torch_and_what_is_used_first_registers(tmp_path):
    """Each of them in a process that has used none of the others."""
    folder = str(ROOT / "tokenizer_files" / "dnabert-4")
    code = f"""
import os, sys
import dnabert_hf
print("transformers" in sys.modules)
tokenizer = dnabert_hf.DNABertTokenizer(k=4)
print(tokenizer(["ACGTA", "ACGTACG"], padding=True, return_tensors="np")["input_ids"].shape)
tokenizer.save_pretrained(sys.argv[1])
print(dnabert_hf.DNABertTokenizer.from_pretrained({folder!r}).k, "torch" in sys.modules)
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.modeling.modeling_dnabert import DNABertForTokenClassification
small = dict(k=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
from transformers import AutoModel, AutoTokenizer, pipeline
first_uses = [
    lambda: AutoModel.from_config(DNABertConfig(**small)),
    lambda: AutoTokenizer.from_pretrained({folder!r}),
    lambda: pipeline("token-classification", tokenizer=tokenizer,
                     model=DNABertForTokenClassification(DNABertConfig(**small))),
]
for use in first_uses:
    if not os.fork():
        print(type(use()).__name__, flush=True)
        os._exit(0)
    os.wait()
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    found = run.stdout.splitlines()
    assert found[:3] == ["False", "(2, 6)", "4 False"], run.stderr
    assert found[3:] == ["DNABertModel", "DNABertTokenizer", "DNATokenClassificationPipeline"]


def test_the_help_of_the_command_does_not_wait_for_torch():
    code = """
import sys
from dnabert_hf_command import main
sys.argv = ["dnabert", "--help"]
try:
    main()
except SystemExit as stop:
    assert stop.code == 0
print(sorted({"torch", "transformers", "datasets"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


def test_ctrl_c_while_the_command_loads_is_one_line(monkeypatch, capsys):
    """Its import takes a tenth of a second, in which nothing of the package can catch anything."""
    from dnabert_hf_command import main

    class Impatient:
        def find_spec(self, name, *_):
            if name == "dnabert_hf.cli.main":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "dnabert_hf.cli.main", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Impatient(), *sys.meta_path])
    with pytest.raises(SystemExit, match="130"):
        main()
    assert capsys.readouterr().err == "dnabert: stopped\n"


def test_the_version_is_that_of_the_installed_package(monkeypatch, capsys):
    from importlib.metadata import version

    assert dnabert_hf.__version__ == version("dnabert-hf")
    monkeypatch.setattr(sys, "argv", ["dnabert", "--version"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("dnabert_hf", run_name="__main__")
    assert capsys.readouterr().out.split() == ["dnabert-hf", dnabert_hf.__version__]


def test_shipped_tokenizer_files_are_what_the_script_writes(tmp_path):
    from dnabert_hf.tokenizer_files.generate import write_tokenizer_files

    write_tokenizer_files(tmp_path)
    written = {path.relative_to(tmp_path): path for path in tmp_path.rglob("*.*")}
    shipped = {
        path.relative_to(ROOT / "tokenizer_files"): path
        for path in (ROOT / "tokenizer_files").rglob("dnabert-*/*")
    }
    assert set(written) == set(shipped)
    for name, path in written.items():
        without_version = [
            line for line in path.read_text().splitlines() if "transformers_version" not in line
        ]
        assert without_version == [
            line
            for line in shipped[name].read_text().splitlines()
            if "transformers_version" not in line
        ]
