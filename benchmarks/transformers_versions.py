"""Load what this version writes in the oldest transformers that setup.cfg allows and the newest.

    python benchmarks/transformers_versions.py [--folder FOLDER]

Makes an environment for each of the two, which takes some minutes and needs PyPI, and loads what is
written here: without the package, a full repository under every Auto class with trust_remote_code
and a stock one without; then with the package installed. Prints the largest difference from the
logits here, and ends with an error where one is above 1e-5 or something does not load. --folder
keeps the environments for another run.
"""

import argparse
import configparser
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers

import dnabert_hf

ROOT = Path(__file__).parents[1]
TOLERANCE = 1e-5
TEXTS = ["ACGTNACGTACGTacgtu", "ACGTTT", "ACGTACG[MASK]TACGT"]
HEADS = (
    *("Model", "ModelForMaskedLM"),
    *("ModelForSequenceClassification", "ModelForTokenClassification"),
)
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")

# In a process of its own; argv: what to load, texts, where the results go, and whether the package
# may be imported.
LOAD = """
import json, os, sys
work, texts, package = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3] == "package"
if package:
    import dnabert_hf
else:
    sys.modules["dnabert_hf"] = None
import torch, transformers
results = {}
for kind, options in (("full", {} if package else {"trust_remote_code": True}), ("stock", {})):
    for head in sorted(os.listdir(f"{work}/{kind}")):
        folder = f"{work}/{kind}/{head}"
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
        inputs = tokenizer(texts, padding=True, return_tensors="pt")
        model = getattr(transformers, "Auto" + head).from_pretrained(folder, **options).eval()
        with torch.no_grad():
            results[f"{kind}/{head}"] = (inputs["input_ids"], model(**inputs)[0])
        if "Sequence" in head:
            classify = transformers.pipeline("text-classification", model=folder, **options)
            results[f"{kind}/pipeline"] = (None, torch.tensor(classify(texts[0])[0]["score"]))
torch.save(results, f"{work}/results.pt")
"""


def write_repositories(work: Path) -> dict[str, tuple[torch.Tensor | None, torch.Tensor]]:
    """Write a full and a stock repository of each head, and give ids and outputs by their names."""
    config = dnabert_hf.DNABertConfig(
        k=3,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.3,
        id2label={0: "background", 1: "promoter"},
    )
    expected: dict[str, tuple[torch.Tensor | None, torch.Tensor]] = {}
    torch.manual_seed(0)
    transformers.utils.logging.disable_progress_bar()
    for head in HEADS:
        source = work / "source" / head
        model = getattr(dnabert_hf, f"DNABert{head.replace('ModelFor', 'For')}")(config).eval()
        model.save_pretrained(source)
        tokenizer = dnabert_hf.DNABertTokenizer(k=3)
        tokenizer.save_pretrained(source)
        inputs = tokenizer(TEXTS, padding=True, return_tensors="pt")
        with torch.no_grad():
            output = model(**inputs)[0]
            alone = model(**tokenizer(TEXTS[0], return_tensors="pt"))[0]
        for kind in ("full", "stock"):
            dnabert_hf.convert(source, work / kind / head, stock=kind == "stock")
            expected[f"{kind}/{head}"] = (inputs["input_ids"], output)
            if "Sequence" in head:
                expected[f"{kind}/pipeline"] = (None, alone.softmax(-1).max())
    return expected


def oldest_allowed() -> str:
    """Read the lower bound of transformers off setup.cfg."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    bound = re.search(r"transformers>=([\d.]+)", parser["options"]["install_requires"])
    assert bound is not None
    return bound[1]


def make_environment(folder: Path, requirement: str) -> Path:
    """Make a virtual environment with transformers and the torch of this one; give its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    version = importlib.metadata.version("torch").split("+")[0]
    subprocess.run([python, *PIP, f"torch=={version}", requirement], check=True)
    subprocess.run([python, *PIP[:2], "uninstall", "--quiet", "--yes", "dnabert-hf"], check=True)
    return python


def versions_of(python: Path) -> str:
    """Say which versions an environment has."""
    code = """
from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("transformers", "huggingface_hub")), sep=", ")
"""
    run = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return run.stdout.strip()


def load(python: Path, work: Path, mode: str) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Load every repository with another Python."""
    environment = os.environ | {"HF_HOME": str(work / "cache"), "HF_HUB_OFFLINE": "1"}
    command = [python, "-W", "ignore", "-c", LOAD, work, json.dumps(TEXTS), mode]
    subprocess.run(command, check=True, env=environment, cwd=work, stderr=subprocess.PIPE)
    results: dict[str, tuple[torch.Tensor, torch.Tensor]] = torch.load(work / "results.pt")
    return results


def compare(found: dict, expected: dict) -> float:
    """Give the largest difference of the outputs, all of which must be there, from equal ids."""
    assert found.keys() == expected.keys(), found.keys() ^ expected.keys()
    for name, (ids, _) in expected.items():
        assert ids is None or torch.equal(ids, found[name][0]), name
    return max(float((found[name][1] - expected[name][1]).abs().max()) for name in expected)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="keep the environments here")
    options = parser.parse_args()
    oldest = oldest_allowed()
    # "5.17" is the first release of that name and its corrections.
    requirements = {
        "oldest": f"transformers=={oldest}{'.*' if oldest.count('.') < 2 else ''}",
        "newest": f"transformers>={oldest}",
    }
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        expected = write_repositories(work)
        folder = (options.folder or work).resolve()
        worst = 0.0
        for which, requirement in requirements.items():
            python = make_environment(folder / which, requirement)
            for mode in ("remote code", "package"):
                if mode == "package":
                    subprocess.run([python, *PIP, requirement, ROOT], check=True)
                difference = compare(load(python, work, mode), expected)
                worst = max(worst, difference)
                print(
                    f"{which}, {versions_of(python)}, {mode}: {len(expected)} loaded, ids equal, "
                    f"largest difference {difference:.1e}",
                    flush=True,
                )
    if worst > TOLERANCE:
        sys.exit(f"outputs must agree to {TOLERANCE}, but differ by {worst:.1e}")


if __name__ == "__main__":
    main()
