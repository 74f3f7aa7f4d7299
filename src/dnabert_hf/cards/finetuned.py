"""Model card of a fine-tuned model: what it tells apart, data, scores and limits."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult

from dnabert_hf.cards.metadata import card_metadata, describe_start
from dnabert_hf.cards.render import fill_template

__all__ = ["finetuning_card"]

_GIVES = {
    "single_label_classification": "one of {} classes",
    "multi_label_classification": "any of {} labels",
    "regression": "{} value(s)",
    "token_classification": "each base one of {} classes",
}
_AS_REPORTED = (
    *("k", "classes", "positive", "metric", "steps", "best_step", "optimizer", "learning_rate"),
    *("both_strands", "collapse", "advice", "calibration", "calls"),
)


def finetuning_card(report: Mapping[str, Any], *, name: str) -> str:
    """Write a model card in the form that the Hub reads; files are named without their folders.

    Args:
        report: Content of the run's `metrics.json`.
        name: Name of the model: its folder or its repository.

    Returns:
        Content of the model's README.md.
    """
    start, splits = str(report["model"]), report["splits"]
    is_dnabert = report["model_type"] == "dnabert"
    labels = _every_key(split["labels"] for split in splits.values())
    return fill_template(
        "finetuned",
        metadata=card_metadata(
            _pipeline_tag(report),
            name=name,
            tags=[str(report["model_type"])],
            results=_results(report),
            widget=report["examples"] or None,
            **report["origin"],
        ),
        name=name,
        kind="DNABERT" if is_dnabert else start,
        is_dnabert=is_dnabert,
        is_per_base=_is_per_base(report),
        gives=_GIVES[report["problem_type"]].format(len(report["classes"])),
        data=_file_names(report["data"]),
        labels=labels,
        splits={
            split: {
                "sequences": counts["sequences"],
                "per_label": [counts["labels"].get(label, 0) for label in labels],
            }
            for split, counts in splits.items()
        },
        start=describe_start(start),
        seed=report["arguments"]["seed"],
        minutes=report["train_seconds"] / 60,
        versions=", ".join(f"{package} {number}" for package, number in report["versions"].items()),
        metrics=_every_key(report["scores"].values()),
        columns=_columns_of_scores(report),
        regression=report["regression"],
        lengths=report["training_lengths"],
        n_mined=report["hard_negatives"][-1]["hard_negatives"] if "hard_negatives" in report else 0,
        class_of_mined=report.get("class_of_hard_negatives"),
        **{key: report[key] for key in _AS_REPORTED},
    )


def _is_per_base(report: Mapping[str, Any]) -> bool:
    return bool(report["problem_type"] == "token_classification")


def _pipeline_tag(report: Mapping[str, Any]) -> str:
    return "token-classification" if _is_per_base(report) else "text-classification"


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


def _columns_of_scores(report: Mapping[str, Any]) -> dict[str, Mapping[str, float]]:
    """Put the regression beside the model, on the split that tells."""
    split = report["predictions"]
    of_regression = report["regression"].get("scores", {})
    beside = {f"5-mer regression, {split}": of_regression[split]} if of_regression else {}
    return {**report["scores"], **beside}


def _every_key(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    """List the keys of several mappings, each once, in the order in which they come."""
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))
