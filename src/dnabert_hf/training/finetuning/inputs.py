"""Inputs of a fine-tuning run: data, configuration and arguments, checked before it writes."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from datasets import DatasetDict
from transformers import PreTrainedTokenizerBase, TrainingArguments

from dnabert_hf.data.labelled.dataset import read_dataset
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.positive_class import known_positive, warn_of_guess
from dnabert_hf.data.labelled.splits import (
    check_splits,
    labels_of,
    measure_lengths,
    warn_of_bias,
    warn_of_few,
    warn_of_repeats,
    warn_of_scale,
    with_lengths,
    with_validation_split,
)
from dnabert_hf.files.fingerprint import fingerprint_inputs
from dnabert_hf.metrics.calibration import LEAST_TO_CALIBRATE
from dnabert_hf.metrics.scores import DEFAULT_METRIC, metric_names
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.training.finetuning.losses import BalancedLoss
from dnabert_hf.training.finetuning.modes import LabelsOfBases, WholeModel
from dnabert_hf.training.finetuning.options import FinetuneOptions
from dnabert_hf.training.kmer_counts.strandedness import find_strand
from dnabert_hf.training.shared.arguments import check_arguments, fine_tuning_arguments
from dnabert_hf.training.shared.initialisation import (
    STARTS,
    is_small,
    load_tokenizer,
    passes_of_small,
    recipe_of,
)
from dnabert_hf.training.shared.layer_reinit import check_layers
from dnabert_hf.training.shared.long_sequences import load_config_before_data
from dnabert_hf.training.shared.names import check_names
from dnabert_hf.training.tasks.presets import find_task
from dnabert_hf.training.tasks.task import Task

__all__ = ["Inputs", "read_inputs"]

logger = logging.getLogger(__name__)

_CALIBRATED = ("single_label_classification", "multi_label_classification")
_MUON_RATE = 0.005
_SEED = 42  # of the Trainer, if none is given
_MOST_EVALUATIONS = 10  # of a run: with few sequences, passes are short


class Inputs(NamedTuple):
    """What a run works with, read and checked before anything is written.

    Attributes:
        start: Where training starts: folder, repository, or name of random weights.
        config: Its configuration.
        tokenizer: Its tokenizer.
        splits: Data sets with the columns "labels" and "length".
        scheme: Their labels.
        metric: Metric that chooses the checkpoint.
        training: Arguments of the Trainer.
        optimizer: "adamw" or "muon".
        muon_learning_rate: Highest learning rate of Muon.
        loss: Loss for the Trainer, None for that of the model.
        is_stranded: Whether the task is of a signal with a strand.
    """

    start: str | Path
    config: Any
    tokenizer: PreTrainedTokenizerBase
    splits: DatasetDict
    scheme: LabelScheme
    metric: str
    training: TrainingArguments
    optimizer: str
    muon_learning_rate: float
    loss: Any
    is_stranded: bool

    def settings(self, model: str | Path, data: Any, options: FinetuneOptions) -> dict[str, Any]:
        """Say what a run is about, in `metrics.json` and to compare with the run it goes on with.

        Args:
            model: Where training starts, as the caller named it.
            data: The data, as the caller named them.
            options: Options of the run.
        """
        return {
            "model": str(model),
            "data": str(data),
            "task": find_task(options.task).name,
            "config": dict(options.config or {}),
            "problem_type": self.scheme.problem_type,
            "classes": list(self.scheme.names),
            "positive": self.scheme.positive,
            "metric": self.metric,
            "early_stopping": options.early_stopping,
            "class_weights": options.class_weights,
            "calibrate": options.calibrate,
            "lora": options.lora,
            "freeze": bool(options.freeze),
            "reinitialise_layers": options.reinitialise_layers,
            "optimizer": self.optimizer,
            "muon_learning_rate": options.muon_learning_rate,
            "both_strands": self.config.both_strands,
            "arguments": dict(options.arguments or {}) | {"seed": self.training.seed},
            "inputs": fingerprint_inputs(self.start, self.tokenizer, self.splits)
            | {"task": find_task(options.task).fingerprint()},
        }


def read_inputs(
    start: str | Path, data: Any, mode: WholeModel, options: FinetuneOptions, *, checkpoints: Path
) -> Inputs:
    """Read and check what a run works with.

    Args:
        start: Where training starts: folder, repository, or name of random weights.
        data: As in `read_dataset`.
        mode: What is trained.
        options: Options of the run.
        checkpoints: Folder for checkpoints.

    Raises:
        ValueError: If data or options cannot be used.
    """
    task = find_task(options.task)
    arguments = check_arguments(options.arguments or {})
    if options.keep_checkpoints:
        if options.lora is not None or mode.is_frozen:
            raise ValueError(
                "checkpoints to keep must hold whole models, found adapters or a head alone; leave "
                "keep_checkpoints out (--keep-checkpoints)"
            )
        arguments.setdefault("save_total_limit", None)
    config = load_config_before_data(start, options.config or {})
    optimizer = _choose_optimizer(options, mode, config)
    both_strands = _reads_both_strands(options, mode, task, config)
    check_layers(
        options.reinitialise_layers,
        config,
        starts_from_checkpoint=start not in STARTS,
        trains_encoder=mode.trains_encoder,
    )
    tokenizer = load_tokenizer(options.tokenizer, start, config)
    splits, scheme = read_dataset(
        data, columns=options.columns, k=config.k, problem_type=options.problem_type
    )
    scheme = replace(scheme, positive=known_positive(scheme, options.positive))
    is_binary = scheme.problem_type == "single_label_classification" and len(scheme.names) == 2
    if is_binary and scheme.positive is None:
        warn_of_guess(scheme.names)
    splits, varies_in_length = with_lengths(splits)
    task.check(splits, scheme)
    config.positive = scheme.positive
    config.training_lengths = measure_lengths(splits["train"])
    source = ", ".join(map(str, data.values())) if isinstance(data, Mapping) else str(data)
    warn_of_bias(splits["train"], scheme, source=source)
    warn_of_repeats(splits, scheme, source=source)
    warn_of_scale(splits["train"], scheme)
    if both_strands is None:
        both_strands = _has_no_strand(splits["train"], scheme)
    config.both_strands = both_strands
    splits = mode.fit_splits(splits, config)
    if options.calibrate and scheme.problem_type not in _CALIBRATED:
        raise ValueError(
            f"calibrate is for classes of sequences, found {scheme.problem_type}; leave it out "
            "(--calibrate)"
        )
    splits = with_validation_split(splits, scheme, seed=int(arguments.get("seed", _SEED)))
    check_splits(splits, scheme)
    if options.calibrate and len(splits["validation"]) < LEAST_TO_CALIBRATE:
        raise ValueError(
            f"calibrate needs {LEAST_TO_CALIBRATE} sequences in the validation split at least, "
            f"found {len(splits['validation'])}: fewer tell more of chance than of the model; give "
            "more, or leave it out (--calibrate)"
        )
    warn_of_few(splits)
    metric = options.metric or task.metric or DEFAULT_METRIC[scheme.problem_type]
    names = metric_names(scheme.problem_type, len(scheme.names))
    check_names([metric], [*names, "loss"], "metrics")
    recipe = _recipe(start, mode, config, task, arguments, len(splits["train"]))
    training = fine_tuning_arguments(
        checkpoints,
        arguments,
        metric=metric,
        recipe=recipe,
        varies_in_length=varies_in_length and not mode.is_frozen,
    )
    # As in pretraining, one learning rate moves both.
    muon_rate = options.muon_learning_rate or _MUON_RATE * (
        training.learning_rate / recipe.get("learning_rate", training.learning_rate)
    )
    if not options.test:
        splits.pop("test", None)
    loss = mode.loss
    if options.class_weights:
        loss = BalancedLoss.from_labels(splits["train"], scheme)
    return Inputs(
        start, config, tokenizer, splits, scheme, metric, training, optimizer, muon_rate, loss,
        task.is_stranded,
    )  # fmt: skip


def _recipe(
    start: str | Path, mode: WholeModel, config: Any, task: Task, arguments: dict[str, Any], n: int
) -> dict[str, Any]:
    """Give the training arguments that depend on model, task and the n training sequences."""
    if mode.recipe:
        return mode.recipe
    recipe = recipe_of(start, config)
    of_task = task.recipe_for(start)
    if _suits_muon(mode, config):
        passes = passes_of_small(n, config.training_lengths[1], of_task | arguments)
        is_chosen = not {"num_train_epochs", "max_steps"} & set(arguments)
        if is_chosen and passes["num_train_epochs"] > _MOST_EVALUATIONS:
            passes |= {"eval_strategy": "steps", "eval_steps": 1 / _MOST_EVALUATIONS}
        recipe |= passes
    return recipe | of_task


def _suits_muon(mode: WholeModel, config: Any) -> bool:
    """Tell whether a run is of the kind that Muon was measured to be better for."""
    return mode.trains_encoder and not isinstance(mode, LabelsOfBases) and is_small(config)


def _choose_optimizer(options: FinetuneOptions, mode: WholeModel, config: Any) -> str:
    """Give the optimiser asked for, or the one that suits the run.

    Raises:
        ValueError: If the run has no use for what is asked.
    """
    optimizer = options.optimizer or ("muon" if _suits_muon(mode, config) else "adamw")
    check_names([optimizer], ["adamw", "muon"], "optimizers")
    if optimizer == "adamw":
        if options.muon_learning_rate is not None:
            raise ValueError(
                f"muon_learning_rate must go with the optimizer muon, got "
                f"{options.muon_learning_rate} with adamw; leave it out (--muon-learning-rate) or "
                "choose the other (--optimizer muon)"
            )
        return optimizer
    if mode.trains_encoder and isinstance(config, DNABertConfig):
        return optimizer
    found = "adapters (lora)" if options.lora is not None else "a frozen encoder"
    if mode.trains_encoder:
        found = f"a {config.model_type} network"
    raise ValueError(
        f"the optimizer muon must have a whole DNABERT encoder to train, found {found}; leave it "
        "out (--optimizer)"
    )


def _reads_both_strands(
    options: FinetuneOptions, mode: WholeModel, task: Task, config: Any
) -> bool | None:
    """Decide whether both strands are read: as asked; None lets the data decide."""
    one_strand = mode.one_strand
    if task.is_stranded:
        one_strand = f"sequences of the task {task.name}"
    if one_strand is None:
        if options.both_strands is None and config.both_strands:
            return True
        return options.both_strands
    if options.both_strands:
        raise ValueError(
            f"{one_strand} must be read from the strand they are given in, got both_strands; leave "
            "it out (--both-strands)"
        )
    return False


def _has_no_strand(train: Any, scheme: LabelScheme) -> bool:
    """Find out from the training sequences whether they may be read from either strand."""
    is_of_classes = scheme.problem_type == "single_label_classification"
    if not is_of_classes or "sequence_b" in train.column_names:
        return False
    test = find_strand(train["sequence"][:], labels_of(train).tolist())
    if test.share is None:
        return False
    reading = "one strand is read" if test.has_strand else "both strands are read"
    logger.info(
        "%s: 5-mers tell %.0f %% of %d sequences from their reverse complements (chance is 50 %%; "
        "--both-strands or --one-strand decide otherwise)",
        *(reading, 100 * test.share, test.n),
    )
    return not test.has_strand
