"""Search space of hyper-parameters."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dnabert_hf.checkpoints import locate
from dnabert_hf.training.finetuning.frozen_encoder import FROZEN_RECIPE
from dnabert_hf.training.shared.arguments import FINE_TUNING_RECIPE
from dnabert_hf.training.shared.initialisation import STARTS
from dnabert_hf.training.shared.long_sequences import load_config_before_data
from dnabert_hf.training.shared.names import RANDOM

__all__ = ["SearchRange", "list_ranges"]

_MAX_DROPOUT = 0.5


class SearchRange(NamedTuple):
    """Values that a search may try.

    Attributes:
        field: Field of the training arguments or of the configuration.
        low: Smallest value.
        high: Largest value.
        default: Value of the first trial, that of the recipe.
    """

    field: str
    low: float
    high: float
    default: float

    def suggest(self, trial: Any) -> float | int:
        """Let a trial of optuna choose a value."""
        if self.field == "num_train_epochs":
            return int(trial.suggest_int(self.field, int(self.low), int(self.high)))
        is_rate = self.field == "learning_rate"
        return float(trial.suggest_float(self.field, self.low, self.high, log=is_rate))


def list_ranges(model: str | Path, options: Mapping[str, Any]) -> list[SearchRange]:
    """List what is to be searched: what the options leave open.

    Args:
        model: Where training starts.
        options: Options of `finetune`.

    Raises:
        ValueError: If the options leave nothing open.

    Example:
        >>> given = {"arguments": {"learning_rate": 1e-4}, "config": {"dropout": 0.5}}
        >>> list_ranges("cnn", given)
        [SearchRange(field='num_train_epochs', low=10, high=40, default=20)]
    """
    arguments, fields = options.get("arguments") or {}, options.get("config") or {}
    recipe = dict(FINE_TUNING_RECIPE)
    if options.get("freeze"):
        recipe |= FROZEN_RECIPE
    elif model in STARTS:
        recipe |= STARTS[str(model)].recipe
    found = []
    if "learning_rate" not in arguments:
        rate = recipe["learning_rate"]
        # The recipe's rate for checkpoints is one for BERT's size: smaller ones take larger steps.
        is_of_any_size = model not in STARTS and not options.get("freeze")
        low, high = (rate / 5, rate * 40) if is_of_any_size else (rate / 10, rate * 10)
        found.append(SearchRange("learning_rate", low, high, rate))
    if not {"num_train_epochs", "max_steps"} & set(arguments):
        epochs = recipe["num_train_epochs"]
        found.append(SearchRange("num_train_epochs", math.ceil(epochs / 2), 2 * epochs, epochs))
    is_baseline = model in STARTS and model != RANDOM
    dropout = "dropout" if is_baseline else "classifier_dropout"
    if dropout not in fields:
        config: Any = load_config_before_data(locate(model), fields)
        default = getattr(config, dropout)
        default = config.hidden_dropout_prob if default is None else default
        found.append(SearchRange(dropout, 0.0, max(_MAX_DROPOUT, default), default))
    if not found:
        raise ValueError(
            f"a search must have something to search, but learning rate, epochs and {dropout} are "
            "all given; leave one of them out"
        )
    return found
