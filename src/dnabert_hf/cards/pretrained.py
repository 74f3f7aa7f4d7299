"""Model card of a pretrained model: data, recipe, scores and limits."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult

from dnabert_hf.cards.metadata import card_metadata, describe_start
from dnabert_hf.cards.render import fill_template

__all__ = ["pretraining_card"]

_SEGMENTS = {
    "cut": "cut side by side",
    "sample": "drawn from any position",
    "both": "cut side by side and as many drawn from any position",
}
_AS_REPORTED = (
    *("k", "layers", "hidden_size", "parameters", "data", "genome", "held_out", "stages"),
    *("preset", "recipe", "scores"),
)


def pretraining_card(
    report: Mapping[str, Any],
    *,
    name: str,
    source: str | None = None,
    comparison: Mapping[str, Mapping[str, float]] | None = None,
    notes: str = "",
    licence: str | None = None,
) -> str:
    """Write a model card in the form that the Hub reads.

    Args:
        report: Content of the run's `metrics.json`.
        name: Name of the model: its folder or its repository.
        source: Python expression for a model that needs the package to be found; without it the
            model is loaded by its name, which needs no package.
        comparison: Scores of the model and of what it has to beat, as `MaskedLMEvaluation.rows`
            gives them.
        notes: Markdown to put behind the scores.
        licence: Licence as the Hub names it, if there is one.

    Returns:
        Content of the model's README.md.
    """
    return fill_template(
        "pretrained",
        metadata=card_metadata(
            "fill-mask", name=name, tags=["dnabert"], license=licence, results=_results(report)
        ),
        name=name,
        source=source,
        loaded=source or f'"{name}", trust_remote_code=True',
        start=describe_start(str(report["stages"][0]["model"])),
        segments=_SEGMENTS[report["recipe"]["segments"]],
        comparison=comparison,
        notes=notes,
        better=_better_than_model(comparison or {}),
        **{key: report[key] for key in _AS_REPORTED},
    )


def _results(report: Mapping[str, Any]) -> list[EvalResult]:
    held_out = ", ".join(report["held_out"])
    names = ("bits_per_base", "accuracy", "perplexity")
    return [
        EvalResult(
            task_type="fill-mask",
            dataset_type="custom",
            dataset_name=f"Held-out DNA: {held_out}",
            metric_type=name,
            metric_value=round(report["scores"][name], 4),
        )
        for name in names
        if name in (report["scores"] or ())
    ]


def _better_than_model(comparison: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Name what predicts masked bases better than the model."""
    bits = {name: row["bits_per_base"] for name, row in comparison.items()}
    of_model = bits.pop("model", 0.0)
    return [name for name, of_counts in bits.items() if of_counts < of_model]
