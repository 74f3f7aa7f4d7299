"""`dnabert search`: fine-tune with several settings and keep the best."""

import logging
from typing import Annotated

import typer

from dnabert_hf.cli.options.training import Training, print_scores, takes_training_options

__all__ = ["search"]


@takes_training_options
def search(
    training: Training,
    trials: Annotated[int, typer.Option(help="Settings to try.")] = 20,
) -> None:
    """Fine-tune with several settings, and keep what is best on the validation split.

    Tries learning rates, epochs and dropouts, those that are not given; search.tsv lists the
    trials. Everything else is as in `dnabert finetune`.

    Example:

        dnabert search peaks.tsv --trials 20 -o best
    """
    from dnabert_hf.training.hyperparameter_search.search import search_hyperparameters

    for name in ("dnabert_hf.training", "dnabert_hf.data.labelled.dataset"):
        logging.getLogger(name).setLevel(logging.INFO)
    result = search_hyperparameters(training.init, training.data, trials=trials, **training.options)
    print_scores(training.options["task"], result)
