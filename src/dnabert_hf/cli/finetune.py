"""`dnabert finetune`: train a classifier or regressor on labelled sequences."""

import logging

from dnabert_hf.cli.options.shared import AsJson
from dnabert_hf.cli.options.training import Training, print_scores, takes_training_options

__all__ = ["finetune"]


@takes_training_options
def finetune(training: Training, *, as_json: AsJson = False) -> None:
    r"""Train a classifier or regressor on labelled sequences, test it and save it.

    The folder receives the model with its card, metrics.json, predictions.tsv and curves.png. The
    best of several settings is found by `dnabert search`, and the false positives of a genome are
    made negatives by `dnabert mine-negatives`.

    Example:

        dnabert finetune peaks.tsv --task tf -o model

    Small, from random weights:

        dnabert finetune peaks.tsv --init random -o small \
          --config num_hidden_layers=2 --config hidden_size=192 \
          --config num_attention_heads=3

    A class for each base, labels such as 00011100:

        dnabert finetune islands.tsv --task token -o islands

    What others compare with:

        dnabert finetune peaks.tsv --init cnn-lstm -o baseline
    """
    from dnabert_hf.training.finetuning.finetune import finetune as fine_tune

    # What the labels were taken for is said before hours of training.
    for name in ("dnabert_hf.training", "dnabert_hf.data.labelled.dataset"):
        logging.getLogger(name).setLevel(logging.INFO)
    result = fine_tune(training.init, training.data, **training.options)
    print_scores(training.options["task"], result, as_json=as_json)
