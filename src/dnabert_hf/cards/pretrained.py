"""Model card of a pretrained model: data, recipe, scores and limits."""

import string
from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult

from dnabert_hf.cards.metadata import card_metadata, describe_start

__all__ = ["pretraining_card"]


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
    data, scores = report["data"], report["scores"]
    held_out = ", ".join(f"`{region}`" for region in report["held_out"])
    return string.Template(_CARD).substitute(
        metadata=card_metadata(
            "fill-mask", name=name, tags=["dnabert"], license=licence, results=_results(report)
        ),
        name=name,
        first="import dnabert_hf\n" if source else "",
        source=source or f'"{name}", trust_remote_code=True',
        began=describe_start(str(report["stages"][0]["model"])),
        k=report["k"],
        parameters=f"{report['parameters'] / 1e6:.1f}",
        layers=report["layers"],
        hidden=report["hidden_size"],
        files=", ".join(f"`{file}`" for file in data["files"]),
        contigs=f"{data['contigs']:,}",
        bases=f"{data['bases'] / 1e6:.2f}",
        fingerprint=report["genome"],
        held_out=f"Held out: {held_out}." if held_out else "Nothing was held out.",
        stages="\n".join(_row(stage) for stage in report["stages"]),
        tokens=f"{sum(stage['tokens'] for stage in report['stages']) / 1e6:.1f}",
        recipe=_recipe(report),
        scores=_sentence(scores) if scores else "No DNA was held out to score the model on.",
        comparison=_table(comparison) if comparison else "",
        notes=notes,
        behind=_behind(comparison or {}),
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


def _table(comparison: Mapping[str, Mapping[str, float]]) -> str:
    rows = [
        f"| {name} | {row['bits_per_base']:.4f} ± {row['standard_error']:.4f} | "
        f"{row['accuracy']:.4f} |"
        for name, row in comparison.items()
    ]
    return "\n".join(["", "| | bits per base | accuracy |", "|---|---|---|", *rows, ""])


def _row(stage: Mapping[str, Any]) -> str:
    cells = (
        stage["max_tokens"],
        f"{stage['steps']:,}",
        stage["segments_a_step"],
        f"{stage['tokens'] / 1e6:.1f}",
        f"{stage['learning_rate']:g}",
        f"{stage['mlm_probability']:g}",
        f"{stage['train_seconds'] / 60:.0f}",
        stage["seed"],
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def _recipe(report: Mapping[str, Any]) -> str:
    """Tell what the preset and its changes come to; where there are stages, in the last one."""
    recipe, k = report["recipe"], report["k"]
    segments = _SEGMENTS[recipe["segments"]]
    strand = ", half of them read from the opposite strand" if recipe["reverse_complement"] else ""
    masks = f"Spans of {k} contiguous k-mers are masked"
    if recipe["masking"] == "random":
        masks = f"Spans of {k} contiguous k-mers and, as training goes on, more are masked"
    elif recipe["masking"] == "published":
        masks += f", a share of {recipe['late_mlm_probability']:g} in the last sixth of the steps"
    unit = "span" if recipe["per_span"] else "k-mer"
    return (
        f"Preset `{report['preset']}`: segments {segments}{strand}. {masks}; 80 % of them become "
        f"[MASK], 10 % random k-mers, and 10 % stay, drawn for each {unit}."
    )


def _behind(comparison: Mapping[str, Mapping[str, float]]) -> str:
    """Name what predicts masked bases better than the model."""
    bits = {name: row["bits_per_base"] for name, row in comparison.items()}
    of_model = bits.pop("model", 0.0)
    better = [name for name, of_counts in bits.items() if of_counts < of_model]
    if not better:
        return ""
    return f" Masked bases are predicted better by {'; '.join(better)}."


def _sentence(scores: Mapping[str, float]) -> str:
    return (
        f"On {scores['n_bases']:,.0f} bases of held-out DNA, each masked alone: "
        f"{scores['bits_per_base']:.4f} bits per base (standard error "
        f"{scores['standard_error']:.4f}; guessing is 2), accuracy {scores['accuracy']:.4f}; "
        f"perplexity {scores['perplexity']:.2f} per masked k-mer."
    )


_SEGMENTS = {
    "cut": "cut side by side",
    "sample": "drawn from any place",
    "both": "cut side by side and as many drawn from any place",
}
_CARD = """\
---
$metadata
---

# $name

A DNABERT masked language model ([Ji et al. 2021](https://doi.org/10.1093/bioinformatics/btab083))
over overlapping $k-mers: $layers layers of $hidden, $parameters million parameters, up to 510
k-mers. It takes raw DNA.

```python
${first}from transformers import AutoModelForMaskedLM, AutoTokenizer, pipeline

tokenizer = AutoTokenizer.from_pretrained($source)
model = AutoModelForMaskedLM.from_pretrained($source)
fill = pipeline("fill-mask", model=model, tokenizer=tokenizer)
fill("ACGTTGCAACG[MASK]AGCTAGGATCC")  # [MASK] hides one base: answers for each k-mer over it
```

Where dnabert-hf is installed, `import dnabert_hf` stands for `trust_remote_code`. With it, a
classifier is trained on a table of sequences and labels:

```bash
dnabert finetune peaks.tsv --init $name -o peaks-model
```

## Data

$files: $contigs contigs, of which $bases million known bases were trained on, split at every N
(checksum of the genome `$fingerprint`). $held_out

## Training

| k-mers | steps | segments a step | million tokens | learning rate | masked | minutes | seed |
|---|---|---|---|---|---|---|---|
$stages

One row a stage: the longest segment in k-mers, and what it was read with; $tokens million tokens in
all, AdamW (0.9, 0.98, weight decay 0.01). Training began from $began. $recipe

## Scores

$scores
$comparison$notes
## Limits

The pooler is not part of a masked language model: a classifier learns its own, and sequence
embeddings are means of the last hidden states. Species and regions far from the training data may
be modelled badly. Not for clinical use.$behind
"""
