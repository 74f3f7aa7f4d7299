"""Model card of a fine-tuned model: what it tells apart, data, scores and limits."""

import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult

from dnabert_hf.cards.metadata import card_metadata, describe_start, is_on_the_hub

__all__ = ["finetuning_card"]

_PROBLEMS = {
    "single_label_classification": "one of $n classes",
    "multi_label_classification": "any of $n labels",
    "regression": "$n value(s)",
    "token_classification": "each base one of $n classes",
}


def finetuning_card(report: Mapping[str, Any], *, name: str) -> str:
    """Write a model card in the form that the Hub reads; files are named without their folders.

    Args:
        report: Content of the run's `metrics.json`.
        name: Name of the model: its folder or its repository.

    Returns:
        Content of the model's README.md.
    """
    start = str(report["model"])
    problem = string.Template(_PROBLEMS[report["problem_type"]])
    is_dnabert = report["model_type"] == "dnabert"
    metadata = card_metadata(
        _pipeline_tag(report),
        name=name,
        tags=[str(report["model_type"])],
        base_model=start if is_on_the_hub(start) else None,
        results=_results(report),
    )
    return string.Template(_CARD).substitute(
        metadata=metadata,
        name=name,
        kind="DNABERT" if is_dnabert else start,
        problem=problem.substitute(n=len(report["classes"])),
        classes=", ".join(f"`{label}`" for label in report["classes"]),
        k=report["k"],
        usage=_usage(report, name) if is_dnabert else "",
        data=_file_names(report["data"]),
        splits=_table_of_splits(report),
        start=describe_start(start),
        steps=f"{report['steps']:,}",
        best="" if report["best_step"] is None else f", of which step {report['best_step']:,} kept",
        learning_rate=f"{report['learning_rate']:g}",
        seed=report["arguments"]["seed"],
        minutes=f"{report['train_seconds'] / 60:.1f}",
        metric=report["metric"],
        versions=", ".join(f"{package} {number}" for package, number in report["versions"].items()),
        scores=_table_of_scores(report["scores"]),
        collapse=f"\n**{report['collapse']}**\n" if report["collapse"] else "",
    )


def _is_per_base(report: Mapping[str, Any]) -> bool:
    return bool(report["problem_type"] == "token_classification")


def _pipeline_tag(report: Mapping[str, Any]) -> str:
    return "token-classification" if _is_per_base(report) else "text-classification"


def _usage(report: Mapping[str, Any], name: str) -> str:
    usage = _BASES if _is_per_base(report) else _USAGE
    return string.Template(usage).substitute(name=name)


def _file_names(data: Any) -> str:
    files = data if isinstance(data, Mapping) else {"": data}
    return ", ".join(
        f"`{Path(str(file)).name}`" + (f" ({split})" if split else "")
        for split, file in files.items()
    )


def _results(report: Mapping[str, Any]) -> list[EvalResult]:
    split = report["predictions"]
    files = _file_names(report["data"]).replace("`", "")
    return [
        EvalResult(
            task_type=_pipeline_tag(report),
            dataset_type="custom",
            dataset_name=files,
            dataset_split=split,
            metric_type=metric,
            metric_value=round(value, 4),
        )
        for metric, value in report["scores"][split].items()
    ]


def _table_of_splits(report: Mapping[str, Any]) -> str:
    splits: Mapping[str, Mapping[str, Any]] = report["splits"]
    labels = list(dict.fromkeys(label for split in splits.values() for label in split["labels"]))
    rows = [
        "| split | sequences | " + " | ".join(labels) + " |",
        "|---|---|" + "---|" * len(labels),
    ]
    for name, split in splits.items():
        counts = " | ".join(str(split["labels"].get(label, 0)) for label in labels)
        rows.append(f"| {name} | {split['sequences']} | {counts} |")
    return "\n".join(rows)


def _table_of_scores(scores: Mapping[str, Mapping[str, float]]) -> str:
    metrics = list(dict.fromkeys(metric for split in scores.values() for metric in split))
    rows = ["| metric | " + " | ".join(scores) + " |", "|---|" + "---|" * len(scores)]
    for metric in metrics:
        cells = [f"{split[metric]:.4f}" if metric in split else "-" for split in scores.values()]
        rows.append(f"| {metric} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


_USAGE = """
```python
from transformers import pipeline

classify = pipeline("text-classification", model="$name", trust_remote_code=True)
classify(["ACGTTGCAACGTAGCTAGG"])
```

Where dnabert-hf is installed, `import dnabert_hf` stands for `trust_remote_code`, and this does it
for files:

```bash
dnabert predict $name sequences.fa -o predictions.tsv
```
"""

_BASES = """
```python
from dnabert_hf import predict_bases

(prediction,) = predict_bases("$name", ["ACGTTGCAACGTAGCTAGG"])
prediction.probabilities  # one row a base, one column a class
```

Of files:

```bash
dnabert predict $name sequences.fa -o regions.bed
```
"""

_CARD = """\
---
$metadata
---

# $name

A $kind model that reads raw DNA of any length in $k-mers and gives $problem: $classes.
$usage
## Data

$data

$splits

## Training

Fine-tuned from $start: $steps steps$best by
the validation split's $metric, AdamW, highest learning rate $learning_rate, seed $seed, $minutes
minutes. $versions.

## Scores

$scores
$collapse
Where there is a test split, it was scored once, with the checkpoint that validation had chosen.

## Limits

The model tells apart what its data tell apart: against other negatives, cell types or species it
may do much worse. Not for clinical use.
"""
