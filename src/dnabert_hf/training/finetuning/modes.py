"""Training modes: what is trained, on which batches, and what is saved afterwards."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from datasets import DatasetDict
from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback, TrainingArguments

from dnabert_hf.modeling.modeling_dnabert import DNABertPreTrainedModel
from dnabert_hf.training.finetuning.collators import (
    ROW,
    BothStrandsCollator,
    SequenceCollator,
    StrandsOfEpoch,
)
from dnabert_hf.training.finetuning.frozen_encoder import (
    FROZEN_RECIPE,
    EmbeddingCollator,
    Embeddings,
    FrozenHead,
    check_freezable,
)
from dnabert_hf.training.finetuning.options import FinetuneOptions
from dnabert_hf.training.finetuning.token_labels import (
    BaseCollator,
    BaseLoss,
    check_base_learner,
    window_dataset,
)
from dnabert_hf.training.shared.arguments import has_fast_bf16
from dnabert_hf.training.shared.initialisation import choose_attention
from dnabert_hf.training.shared.long_sequences import fit_positions, fit_segments
from dnabert_hf.training.shared.lora import add_lora, merge_lora

__all__ = ["Adapters", "FrozenEncoder", "LabelsOfBases", "Learner", "WholeModel", "choose_mode"]


class Learner(NamedTuple):
    """What the Trainer takes.

    Attributes:
        model: Module to train.
        collator: Turns rows into its batches.
        splits: The rows.
        callbacks: Callbacks that the collator needs.
    """

    model: Any
    collator: Any
    splits: DatasetDict
    callbacks: tuple[TrainerCallback, ...] = ()


class WholeModel:
    """All weights of a classifier of sequences are trained; the other modes depart from this one.

    A run calls the methods in the order in which they stand here.

    Args:
        options: Options of the run.

    Attributes:
        recipe: Training arguments in place of those of model and task; None for theirs.
        trains_encoder: Whether all weights of the encoder are trained.
        is_frozen: Whether batches are of embeddings, so that no length matters.
        one_strand: What has to be read from one strand, if something has.
        loss: Loss for the `compute_loss_func` of the Trainer; None for that of the model.
    """

    recipe: dict[str, Any] | None = None
    trains_encoder = True
    is_frozen = False
    one_strand: str | None = None
    loss: Any = None

    def __init__(self, options: FinetuneOptions):
        self.options = options

    def check(self, model: str | Path) -> None:
        """Refuse a start that the mode is not for.

        Raises:
            ValueError: If the model cannot be trained in this mode.
        """

    def fit_splits(self, splits: DatasetDict, config: Any) -> DatasetDict:
        """Fit sequences and network to each other: cut the first, or make room in the second.

        Args:
            splits: Data sets with the column "length".
            config: Configuration of the model; may be changed in place.
        """
        fit_segments(config, self.options.config or {}, splits)
        fit_positions(config, self.options.config or {}, splits)
        return splits

    def prepare(
        self,
        classifier: Any,
        splits: DatasetDict,
        tokenizer: PreTrainedTokenizerBase,
        training: TrainingArguments,
    ) -> Learner:
        """Make what is trained.

        Args:
            classifier: The classifier.
            splits: Data sets with the column "length".
            tokenizer: Its tokenizer.
            training: Arguments of the Trainer.
        """
        if isinstance(classifier, DNABertPreTrainedModel):
            longest = max(splits["train"]["length"])
            choose_attention(classifier, on_cpu=training.use_cpu, longest=longest)
        if not classifier.config.both_strands:
            return Learner(classifier, self.make_collator(tokenizer), splits)
        train = splits["train"].add_column(ROW, np.arange(len(splits["train"])))
        either = BothStrandsCollator(tokenizer, seed=training.seed)
        both = DatasetDict({**splits, "train": train})
        return Learner(classifier, either, both, (StrandsOfEpoch(either),))

    def make_collator(self, tokenizer: PreTrainedTokenizerBase) -> Any:
        """Make what turns rows into batches of token ids."""
        return SequenceCollator(tokenizer)

    def before_training(self, trainer: Trainer) -> None:
        """Do what has to be done once, when all processes are there."""

    def after_training(self, trainer: Trainer) -> None:
        """Give the Trainer the model that is to be saved."""


class LabelsOfBases(WholeModel):
    """All weights are trained, on a class for each base: every k-mer votes (`kmer_loss`)."""

    loss = BaseLoss()
    one_strand = "labels of bases"

    def check(self, model: str | Path) -> None:
        """Refuse networks that classify whole sequences, and frozen encoders."""
        check_base_learner(model, freeze=bool(self.options.freeze))

    def fit_splits(self, splits: DatasetDict, config: Any) -> DatasetDict:
        """Cut sequences that are too long for the encoder into windows."""
        return window_dataset(splits, k=config.k or 0, n_kmers=config.max_position_embeddings - 2)

    def make_collator(self, tokenizer: PreTrainedTokenizerBase) -> Any:
        """Make what gives each token the labels of the bases of its k-mer."""
        return BaseCollator(tokenizer)


class Adapters(WholeModel):
    """Low-rank adapters beside the encoder's weights are trained, and added to them at the end.

    Args:
        inner: Mode that says what the labels are of.
    """

    trains_encoder = False

    def __init__(self, inner: WholeModel):
        super().__init__(inner.options)
        self._inner = inner
        self.loss = inner.loss
        self.one_strand = inner.one_strand

    def check(self, model: str | Path) -> None:
        """Refuse what the inner mode refuses."""
        self._inner.check(model)

    def fit_splits(self, splits: DatasetDict, config: Any) -> DatasetDict:
        """Fit as the inner mode does."""
        return self._inner.fit_splits(splits, config)

    def prepare(
        self,
        classifier: Any,
        splits: DatasetDict,
        tokenizer: PreTrainedTokenizerBase,
        training: TrainingArguments,
    ) -> Learner:
        """Put adapters beside the weights of the classifier."""
        learner = self._inner.prepare(classifier, splits, tokenizer, training)
        return learner._replace(model=add_lora(learner.model, self.options.lora or 0))

    def after_training(self, trainer: Trainer) -> None:
        """Add the adapters to the weights."""
        trainer.model = merge_lora(trainer.accelerator.unwrap_model(trainer.model))


class FrozenEncoder(WholeModel):
    """Pooler and head are trained, on embeddings that are computed once."""

    recipe = FROZEN_RECIPE
    trains_encoder = False
    is_frozen = True
    one_strand = "the embeddings of a frozen encoder"
    _embeddings: Embeddings

    def check(self, model: str | Path) -> None:
        """Refuse what has learnt nothing, and what adapters are to change."""
        check_freezable(model, lora=self.options.lora)

    def prepare(
        self,
        classifier: Any,
        splits: DatasetDict,
        tokenizer: PreTrainedTokenizerBase,
        training: TrainingArguments,
    ) -> Learner:
        """Put embeddings in the place of sequences, and take the head out of the classifier."""
        freeze, own = self.options.freeze, Path(training.output_dir or "") / "embeddings"
        given = self.options.arguments or {}
        self._embeddings = Embeddings(
            classifier,
            splits,
            SequenceCollator(tokenizer),
            folder=own if freeze is True else Path(str(freeze)),
            bf16=given.get("bf16", has_fast_bf16(on_cpu=training.use_cpu)),
        )
        collator = EmbeddingCollator(self._embeddings)
        return Learner(FrozenHead(classifier), collator, self._embeddings.references())

    def before_training(self, trainer: Trainer) -> None:
        """Compute the embeddings that are not on disk."""
        self._embeddings.compute(trainer.accelerator)

    def after_training(self, trainer: Trainer) -> None:
        """Put the head back into the classifier."""
        trainer.model = trainer.accelerator.unwrap_model(trainer.model).whole_classifier


def choose_mode(options: FinetuneOptions, *, is_per_base: bool) -> WholeModel:
    """Choose the mode that the options ask for.

    Args:
        options: Options of the run.
        is_per_base: Whether every base has a label.
    """
    if is_per_base:
        mode: WholeModel = LabelsOfBases(options)
    elif options.freeze:
        mode = FrozenEncoder(options)
    else:
        mode = WholeModel(options)
    return mode if options.lora is None or options.freeze else Adapters(mode)
