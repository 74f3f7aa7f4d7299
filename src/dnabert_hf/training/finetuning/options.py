"""Options of a fine-tuning run, in one object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase, TrainerCallback

from dnabert_hf.data.labelled.labels import ProblemType
from dnabert_hf.data.reading.records import Columns
from dnabert_hf.training.tasks.presets import GENERIC, Task

__all__ = ["FinetuneOptions"]


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions:
    """Options of `finetune`, which takes each of them as a keyword too.

    Attributes:
        task: Preset of what is particular to the data: labels, length, metrics and recipe; a name
            among `TASKS` (`dnabert_hf.training.tasks.presets`), a `Task`, or a YAML file with its
            fields.
        config: Fields of `DNABertConfig` (of `DNACnnConfig` for "cnn" and its like) to set, such as
            k and the size of a random model.
        tokenizer: Tokenizer, or folder or repository of one, if not that of the model.
        columns: Names of the table's columns.
        problem_type: What the labels mean, where they do not say it themselves.
        positive: Class of interest; by default what the names of two classes tell (`guess_positive`
            of `dnabert_hf.data.labelled.positive_class`).
        metric: Metric that chooses the checkpoint: by default the task's, or else MCC, AUROC
            (multi-label) or Spearman's correlation (regression); "loss" is possible too.
        early_stopping: Stop after this many evaluations without a better metric.
        class_weights: Let rare classes weigh as much as common ones.
        lora: Rank of adapters that are trained in place of the encoder's weights (LoRA, Hu et al.
            2021; needs the extra peft); they are added to the weights before the model is saved.
        freeze: Train the pooler and the head alone, on embeddings that are computed once
            (`FrozenHead`), 30 epochs at 3e-3; a folder keeps the embeddings there for other runs
            of the same encoder and sequences.
        reinitialise_layers: Layers at the top of the encoder to re-initialise before training
            (`reinitialise_top_layers`); with AdamW it helped few labels, with Muon it does not.
        optimizer: "adamw", or "muon" for the matrices of the encoder and AdamW for the rest
            (`dnabert_hf.training.shared.muon.Muon`); by default Muon where all weights of a
            DNABERT up to 512 wide are trained to classify or value sequences, or else AdamW.
        muon_learning_rate: Learning rate of Muon; by default 0.005, and in proportion where the
            arguments have another `learning_rate`, that of AdamW, than is usual for the model.
        both_strands: Read each training sequence from the opposite strand half of the time, and
            average predictions over both, for signals that have no strand; by default the training
            sequences tell (`find_strand`), and what the checkpoint was trained with stays.
        calibrate: Divide the logits by a temperature that makes the probabilities of the validation
            split, of fifty sequences at least, as often right as they say (Guo et al. 2017): the
            last layer's weights are divided, so that whatever runs the model gives calibrated
            probabilities; `calibration.png` shows them before and after.
        keep_checkpoints: Keep the model of every checkpoint under `checkpoints/`, for
            `attention_during_training`; an evaluation, and so a checkpoint, comes after each epoch
            unless the arguments say otherwise.
        test: Score the test split; without, it is only checked.
        reports: Write the model card and the picture of the curves, and fit the regression that the
            model is compared with; a run among many needs none of them.
        notes: What else `metrics.json` is to say.
        arguments: Fields of `transformers.TrainingArguments`, such as num_train_epochs and seed.
        callbacks: Callbacks for the Trainer.
        resume: Go on from the last checkpoint of a run that was stopped; begin if there is none.
        overwrite: Replace what an earlier run left in the folder.
    """

    task: str | Task = GENERIC
    config: Mapping[str, Any] | None = None
    tokenizer: str | Path | PreTrainedTokenizerBase | None = None
    columns: Columns | None = None
    problem_type: ProblemType | None = None
    positive: str | None = None
    metric: str | None = None
    early_stopping: int | None = None
    class_weights: bool = False
    lora: int | None = None
    freeze: bool | str | Path = False
    reinitialise_layers: int = 0
    optimizer: str | None = None
    muon_learning_rate: float | None = None
    both_strands: bool | None = None
    calibrate: bool = False
    keep_checkpoints: bool = False
    test: bool = True
    reports: bool = True
    notes: Mapping[str, Any] | None = None
    arguments: Mapping[str, Any] | None = None
    callbacks: Sequence[TrainerCallback] = ()
    resume: bool = False
    overwrite: bool = False
