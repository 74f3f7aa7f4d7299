"""The main job in about a minute on simulated data: train, test, predict, report."""

import base64
import csv
import html
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np
import torch

from dnabert_hf.data.building.simulation import CTCF, SimulatedSequence, simulate_binding
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.files.atomic import open_table, write_json, write_text
from dnabert_hf.files.outputs import check_folder
from dnabert_hf.inference.predict import predict
from dnabert_hf.interpretation.attribution.attribution import attribution_scores
from dnabert_hf.interpretation.plots.scores import plot_letters
from dnabert_hf.metrics.scores import METRIC_NAMES
from dnabert_hf.training.finetuning.finetune import finetune

__all__ = ["Demonstration", "demonstrate"]

logger = logging.getLogger(__name__)

_SIZES = {"train": 1600, "dev": 200, "test": 1000}
_N_NEW = 200
_N_SHOWN = 6  # right ones, and wrong ones
_START = "dnabert-6-mini"
_ARGUMENTS = {
    "num_train_epochs": 2,
    "eval_strategy": "steps",
    "eval_steps": 0.25,
}
_MUON_RATE = 0.015  # three times the usual: there are a hundred steps


_MARKER = "data/new.fa"
# What a demonstration writes, by patterns of names.
_FILES = (
    "data/*.tsv",
    _MARKER,
    "model/*.json",
    "model/*.safetensors",
    "model/*_dnabert.py",
    "model/vocab.txt",
    "model/README.md",
    "model/predictions.tsv",
    "model/curves.png",
    "model/training_args.bin",
    "model/checkpoints/**",
    "predictions.tsv",
    "predictions.tsv.partial/**",
    "letters.png",
    "metrics.json",
    "index.html",
)


@dataclass(frozen=True)
class Demonstration:
    """Result of the demonstration.

    Attributes:
        report: The page to open first.
        scores: Test scores of DNABERT and of the 5-mer regression, by metric.
        seconds: How long it took.
    """

    report: Path
    scores: dict[str, dict[str, float]]
    seconds: float


def demonstrate(
    output_dir: str | Path, *, seed: int = 42, overwrite: bool = False
) -> Demonstration:
    """Simulate binding sites, fine-tune dnabert-6-mini on them, test it and predict.

    The folder receives `data/` (train, dev and test tables and a FASTA file, as a user would have
    them), `model/`, `predictions.tsv`, `metrics.json` and `index.html`, a report with the commands
    that do the same for other data.

    Args:
        output_dir: Folder to write.
        seed: Seed of simulation and training.
        overwrite: Replace what an earlier demonstration left in the folder.

    Returns:
        Where the report is, and the test scores beside those of the baseline.

    Raises:
        ValueError: If the folder is in use.
    """
    folder = Path(output_dir)
    check_folder(folder, overwrite=overwrite, marker=_MARKER, known=_FILES)
    begin = time.perf_counter()
    generator = np.random.default_rng(seed)
    splits = {name: simulate_binding(n, generator) for name, n in _SIZES.items()}
    new = simulate_binding(_N_NEW, generator)
    data = folder / "data"
    _write_data(splits, new, data)

    logger.info("fine-tuning %s on %d simulated sequences", _START, _SIZES["train"])
    with _one_thread():
        result = finetune(
            _START,
            data,
            output_dir=folder / "model",
            arguments=_ARGUMENTS | {"seed": seed},
            muon_learning_rate=_MUON_RATE,
            overwrite=overwrite,
        )
    logger.info("predicting %d new sequences", _N_NEW)
    table = folder / "predictions.tsv"
    predict(folder / "model", data / "new.fa", output=table, overwrite=overwrite)
    with table.open(encoding="utf-8", newline="") as file:
        predictions = list(csv.DictReader(file, delimiter="\t"))
    scores = {
        "DNABERT": result.scores["test"],
        "5-mer regression": result.regression["test"],
    }
    _draw_surest(folder, new, predictions)
    seconds = time.perf_counter() - begin
    report = {"simulated": True, "seed": seed, "seconds": round(seconds, 1), "test": scores}
    write_json(report, folder / "metrics.json")
    page = _render(folder, scores, new, predictions, seconds)
    write_text(page, folder / "index.html")
    return Demonstration(folder / "index.html", scores, seconds)


def _surest(
    new: Sequence[SimulatedSequence], predictions: Sequence[Mapping[str, str]]
) -> tuple[SimulatedSequence, Mapping[str, str]]:
    """Choose the sequence that is most probably bound, of those that are."""
    pairs = [pair for pair in zip(new, predictions, strict=True) if pair[0].is_bound]
    return max(pairs, key=lambda pair: float(pair[1]["prob_bound"]))


def _draw_surest(
    folder: Path, new: Sequence[SimulatedSequence], predictions: Sequence[Mapping[str, str]]
) -> None:
    """Draw what each base of the surest sequence adds to the class, by occlusion."""
    item, prediction = _surest(new, predictions)
    with _one_thread():
        scores = attribution_scores(
            folder / "model",
            [SequenceRecord(prediction["id"], item.sequence)],
            method="occlusion",
            label="bound",
        )
    assert isinstance(scores, list)  # without an output
    plot_letters(scores[0], folder / "letters.png", what="nats of log odds")


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one core: with matrices so small, threads mostly wait for each other.

    Measured with a smaller model on two cores that others used too: 38 s with one thread, 264 s
    with two.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def _write_data(
    splits: dict[str, list[SimulatedSequence]], new: Sequence[SimulatedSequence], folder: Path
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # The marker first: a demonstration that was stopped may be overwritten.
    records = (f">new_{index}\n{item.sequence}\n" for index, item in enumerate(new))
    write_text("".join(records), folder / "new.fa")
    for name, sequences in splits.items():
        with open_table(folder / f"{name}.tsv") as write_row:
            write_row(["id", "sequence", "label"])
            for index, item in enumerate(sequences):
                write_row([f"{name}_{index}", item.sequence, _label(item)])


def _label(item: SimulatedSequence) -> str:
    return "bound" if item.is_bound else "free"


def _render(
    folder: Path,
    scores: dict[str, dict[str, float]],
    new: Sequence[SimulatedSequence],
    predictions: Sequence[Mapping[str, str]],
    seconds: float,
) -> str:
    names = METRIC_NAMES["single_label_classification"]
    rows = [
        f"<tr><th>{html.escape(model)}</th>"
        + "".join(f"<td>{row[name]:.3f}</td>" for name in names)
        + "</tr>"
        for model, row in scores.items()
    ]
    pairs = list(zip(new, predictions, strict=True))
    is_right = [_label(item) == prediction["label"] for item, prediction in pairs]
    curves, letters = (
        base64.b64encode((folder / name).read_bytes()).decode("ascii")
        for name in ("model/curves.png", "letters.png")
    )
    surest, of_surest = _surest(new, predictions)
    return Template(_PAGE).substitute(
        seconds=f"{seconds:.0f}",
        **{f"n_{name}": f"{n:,}" for name, n in _SIZES.items()},
        n_new=_N_NEW,
        n_right=sum(is_right),
        n_shown=_N_SHOWN,
        motif_length=len(CTCF),
        header="".join(f"<th>{name}</th>" for name in names),
        rows="\n".join(rows),
        curves=curves,
        letters=letters,
        surest=html.escape(of_surest["id"]),
        site=f"{surest.start} to {surest.start + len(CTCF) - 1}",
        sequences="\n".join(_sequence_row(*pair) for pair in _choose(pairs)),
        start=_START,
        epochs=_ARGUMENTS["num_train_epochs"],
    )


def _choose(
    pairs: Sequence[tuple[SimulatedSequence, Mapping[str, str]]],
) -> list[tuple[SimulatedSequence, Mapping[str, str]]]:
    """Choose the first right ones and the first wrong ones, these in front."""
    right, wrong = (
        [pair for pair in pairs if (_label(pair[0]) == pair[1]["label"]) is is_right][:_N_SHOWN]
        for is_right in (True, False)
    )
    return [*wrong, *right]


def _sequence_row(item: SimulatedSequence, prediction: Mapping[str, str]) -> str:
    end = item.start + len(CTCF)
    before, planted, after = (
        item.sequence[: item.start],
        item.sequence[item.start : end],
        item.sequence[end:],
    )
    tag = "mark" if item.is_bound else "u"
    is_right = "" if prediction["label"] == _label(item) else ' class="wrong"'
    return (
        f"<tr{is_right}><td>{prediction['id']}</td><td>{_label(item)}</td>"
        f"<td>{prediction['label']}</td><td>{float(prediction['prob_bound']):.3f}</td>"
        f"<td><code>{before}<{tag}>{planted}</{tag}>{after}</code></td></tr>"
    )


_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>DNABERT demonstration</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto }
td, th { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: left }
code, pre { font: 13px/1.5 ui-monospace, monospace }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto }
td code { font-size: 11px; white-space: nowrap }
mark { background: #ffd54a }
.note { background: #fff7e0; border-left: 4px solid #e0a800; padding: .5rem 1rem }
.wrong td { color: #b00020 }
img { max-width: 100% }
.wide { overflow-x: auto }
.wide img { min-width: 40rem }
</style>
<h1>DNABERT demonstration</h1>
<p class="note"><strong>The data are simulated.</strong> Half of the sequences carry a binding site
drawn from the published CTCF motif (JASPAR 2022, MA0139.1, $motif_length bp) in 100 bp of random
DNA with human-like composition; the other half carry such a site with its letters shuffled, so that
composition alone does not tell them apart. The scores say that the software works, not how well
DNABERT does on real data.</p>
<p>$start, a small DNABERT pretrained on human DNA that comes with the package, was fine-tuned on
$n_train sequences, its checkpoint chosen on $n_dev, and tested on $n_test others; all took $seconds
seconds.</p>
<h2>Test scores</h2>
<table><tr><th></th>$header</tr>
$rows
</table>
<p>The 5-mer regression counts words of five bases: it knows which short words a site is made of,
but not their order. F1, precision and recall are means over both classes.</p>
<h2>Training</h2>
<div class="wide">
<img alt="Loss and validation MCC by step" src="data:image/png;base64,$curves">
</div>
<h2>New sequences</h2>
<p>$n_right of $n_new sequences in <code>data/new.fa</code> are predicted right
(<a href="predictions.tsv"><code>predictions.tsv</code></a>). Up to $n_shown wrong ones (in red) and
$n_shown right ones, with the planted site marked in yellow and the shuffled one underlined:</p>
<table><tr><th>id</th><th>truth</th><th>predicted</th><th>P(bound)</th><th>sequence</th></tr>
$sequences
</table>
<h2>What the model reads</h2>
<p>The bound sequence that the model is surest of, $surest: each letter is as high as what the log
odds of <em>bound</em> lose when its base is masked, one after the other. The site was planted at
bases $site (0-based).</p>
<div class="wide">
<img alt="Letters of $surest as high as what they add" src="data:image/png;base64,$letters">
</div>
<h2>The same by hand</h2>
<pre>dnabert finetune data -o model-2 --init $start \\
    --epochs $epochs --set eval_strategy=steps --set eval_steps=0.125
dnabert evaluate model-2 data/test.tsv
dnabert predict model-2 data/new.fa -o predictions-2.tsv</pre>
<p>More of this model: <a href="model/README.md">its card</a>,
<a href="model/metrics.json">all scores and settings</a>. Its motifs, and what matters in a
sequence:</p>
<pre>dnabert motifs model data/test.tsv --rc -o motifs
dnabert mutagenesis model data/new.fa -o map.tsv --plot map.png</pre>
<h2>With your own data</h2>
<p>From peaks and a genome to a page with motifs, mutation maps and variants:</p>
<pre>dnabert run ctcf.narrowPeak --genome hg38.fa.gz -o ctcf</pre>
<p>Or write a table with the columns <code>sequence</code> and <code>label</code> (and, if you have
them, <code>split</code> with train, dev and test, and <code>id</code>):</p>
<pre>dnabert finetune peaks.tsv -o peaks-model --init dnabert-6-mini
dnabert scan peaks-model genome.fa --step 25 -o windows.tsv --calls sites.bed</pre>
<p>In Python, <code>model/</code> is an ordinary checkpoint:</p>
<pre>import dnabert_hf
from transformers import pipeline

classify = pipeline("text-classification", model="model")
classify("TGACCACCAGGGGGCGCTATGACCACCAGGGGGCGCTA")</pre>
</html>
"""
