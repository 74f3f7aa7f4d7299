"""Recipes of pretraining: the published one, and smaller models for machines without many GPUs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

from dnabert_hf.training.shared.names import check_names

__all__ = ["PRESETS", "PretrainingRecipe"]

_CHOICES = {
    "weights": ("normal", "structured"),
    "masking": ("published", "constant", "random"),
    "segments": ("both", "cut", "sample"),
    "optimizer": ("adamw", "muon"),
}


def _is_number(value: object, kind: type = Real) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


@dataclass(frozen=True)
class PretrainingRecipe:
    """What a pretraining run does, apart from the genome.

    Attributes:
        config: Fields of `DNABertConfig`.
        arguments: Fields of `transformers.TrainingArguments`.
        weights: How random weights start: "normal" (BERT's) or "structured" (see
            `initialise_structured`).
        masking: "published" (a larger share in the last sixth of the steps), "constant", or
            "random" (spans grow from stage to stage, arXiv 2310.07644).
        mlm_probability: Share of the k-mers to be masked.
        late_mlm_probability: Share in the last sixth of the steps, for "published".
        per_span: Decide for each masked run, not each token, what becomes of it.
        segments: "both", "cut" or "sample", see `SegmentOptions`.
        max_tokens: K-mers of the longest segment.
        reverse_complement: Read half of the segments from the opposite strand.
        optimizer: "adamw", or "muon" for the matrices of the encoder (see `Muon`) and AdamW for the
            rest.
        muon_learning_rate: Highest learning rate of Muon; the field `learning_rate` of the
            arguments is that of AdamW. Both follow one schedule, and where only another
            `learning_rate` than the preset's is given, Muon's changes in proportion.
        extend_from: K-mers of the longest segments that the checkpoint to go on from was trained
            on; positions beyond are continued from these (see `extend_positions`).

    Raises:
        ValueError: If a field is not of its kind or out of range.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    weights: str = "normal"
    masking: str = "published"
    mlm_probability: float = 0.15
    late_mlm_probability: float = 0.20
    per_span: bool = False
    segments: str = "both"
    max_tokens: int = 510
    reverse_complement: bool = False
    optimizer: str = "adamw"
    muon_learning_rate: float = 0.02
    extend_from: int | None = None

    def __post_init__(self) -> None:
        for name in ("weights", "masking", "segments", "optimizer"):
            check_names([getattr(self, name)], _CHOICES[name], name)
        for name in ("mlm_probability", "late_mlm_probability", "muon_learning_rate"):
            value = getattr(self, name)
            if not _is_number(value) or not 0 < value <= 1:
                raise ValueError(f"{name} must be a number above 0 and at most 1, got {value!r}")
        for name in ("per_span", "reverse_complement"):
            if type(getattr(self, name)) is not bool:
                raise ValueError(f"{name} must be true or false, got {getattr(self, name)!r}")
        for name in ("max_tokens", "extend_from"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value, Integral) and 1 <= value <= 510):
                raise ValueError(f"{name} must be 1 to 510 k-mers, got {value!r}")


_OPTIMISER = {
    "adam_beta1": 0.9,
    "adam_beta2": 0.98,
    "adam_epsilon": 1e-6,
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
}


def _small_recipe(layers: int, hidden: int, heads: int, learning_rate: float) -> PretrainingRecipe:
    """Make the recipe of a model for one pass or a few over a genome, where nothing overfits."""
    return PretrainingRecipe(
        config=_size(layers, hidden, heads, dropout=0.0)
        | {"initializer_range": 0.05, "token_pooling": "mean"},
        arguments=_OPTIMISER
        | {
            "per_device_train_batch_size": 32,
            "num_train_epochs": 1,
            "learning_rate": learning_rate,
            "warmup_steps": 0.02,  # below 1 means a share of all steps
            "lr_scheduler_type": "linear",
        },
        weights="structured",
        masking="constant",
        mlm_probability=0.45,
        per_span=True,
        reverse_complement=True,
        optimizer="muon",
    )


def _size(layers: int, hidden: int, heads: int, *, dropout: float) -> dict[str, Any]:
    return {
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "intermediate_size": 4 * hidden,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
        "classifier_dropout": 0.1,  # few labels need it, whatever pretraining did
    }


PRESETS: Mapping[str, PretrainingRecipe] = {
    # Ji et al. 2021 and the authors' commands: 2,000 sequences a step; the learning
    # rate falls from 4e-4 at step 10,000 towards 0 at step 200,000, of which 120,000 were made.
    "paper": PretrainingRecipe(
        config=_size(12, 768, 12, dropout=0.1),
        arguments=_OPTIMISER
        | {
            "per_device_train_batch_size": 10,
            "gradient_accumulation_steps": 200,
            "max_steps": 120_000,
            "learning_rate": 4e-4,
            "warmup_steps": 10_000,
            "lr_scheduler_type": "polynomial",
            "lr_scheduler_kwargs": {"lr_end": 4e-4 * 80 / 190, "power": 1.0},
        },
    ),
    "base": _small_recipe(12, 768, 12, 4e-4),
    "small": _small_recipe(6, 512, 8, 1e-3),
    "mini": _small_recipe(4, 256, 4, 3e-3),
}
