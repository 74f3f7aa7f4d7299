"""Configuration of DNABERT models."""

import sys
from typing import Any, Literal

from huggingface_hub.dataclasses import strict
from transformers import BertConfig

__all__ = [
    "AUTO_MAP",
    "N_SPECIAL_TOKENS",
    "PUBLISHED_K",
    "SUPPORTED_K",
    "DNABertConfig",
    "check_vocabulary_size",
    "vocabulary_size",
]

SUPPORTED_K = (2, 3, 4, 5, 6, 7, 8)
PUBLISHED_K = (3, 4, 5, 6)  # of the checkpoints of Ji et al. 2021
N_SPECIAL_TOKENS = 5  # [PAD] [UNK] [CLS] [SEP] [MASK]

# Written into every saved config: with the three files of this folder beside it, a saved model
# loads under each of these classes where the package is not installed.
AUTO_MAP = {
    "AutoConfig": "configuration_dnabert.DNABertConfig",
    "AutoModel": "modeling_dnabert.DNABertModel",
    "AutoModelForMaskedLM": "modeling_dnabert.DNABertForMaskedLM",
    "AutoModelForPreTraining": "modeling_dnabert.DNABertForMaskedLM",
    "AutoModelForSequenceClassification": "modeling_dnabert.DNABertForSequenceClassification",
    "AutoModelForTokenClassification": "modeling_dnabert.DNABertForTokenClassification",
    "AutoTokenizer": ["tokenization_dnabert.DNABertTokenizer", None],
}

# Fields of the original repositories' configs that mean nothing here (heads and generation).
_LEGACY_FIELDS = (
    *("split", "rnn", "num_rnn_layer", "rnn_dropout", "rnn_hidden", "do_sample", "finetuning_task"),
    *("length_penalty", "max_length", "num_beams", "num_return_sequences", "output_past"),
    *("pruned_heads", "repetition_penalty", "temperature", "top_k", "top_p", "torchscript"),
    *("eos_token_ids", "use_bfloat16"),
)


def vocabulary_size(k: int) -> int:
    """Count the tokens of a DNABERT vocabulary: the special tokens and all k-mers.

    Args:
        k: Bases per k-mer.

    Returns:
        5 + 4**k.

    Example:
        >>> [vocabulary_size(k) for k in (2, 3, 6, 8)]
        [21, 69, 4101, 65541]
    """
    return N_SPECIAL_TOKENS + 4**k


def check_vocabulary_size(k: int, vocab_size: int | None) -> None:
    """Check that a vocabulary holds all k-mers and is smaller than that of k + 1.

    Args:
        k: Bases per k-mer.
        vocab_size: Tokens of the vocabulary, those that were added included.

    Raises:
        ValueError: If it does not.
    """
    smallest, next_size = vocabulary_size(k), vocabulary_size(k + 1)
    if vocab_size is None or not smallest <= vocab_size < next_size:
        raise ValueError(
            f"vocab_size must be {smallest} for k = {k} (or more, up to {next_size - 1}, if tokens "
            f"were added), got {vocab_size}; leave out vocab_size to have it set from k"
        )


@strict
class DNABertConfig(BertConfig):
    """Configuration of a DNABERT model: BERT's, plus the k of its k-mers.

    `DNABertConfig(k=6)` sets the vocabulary size; a config without `k`, like those of the original
    repositories, takes it from the vocabulary size. A vocabulary may be larger than the k-mers
    need (added tokens), but not as large as that of k + 1. Without `k`, a vocabulary of 2, 7 or 8,
    of which there are no published checkpoints, must have exactly its k-mers' size: those of other
    models are as large.

    Args:
        k: Bases per k-mer, 2 to 8. Taken from `vocab_size` if not given; 6 if neither is.
        vocab_size: Tokens of the vocabulary; 5 + 4**k if not given.
        token_pooling: What the pooler of a classifier takes: "cls", the last hidden state of [CLS]
            (Ji et al. 2021), or "mean", that of all k-mers, which needs fewer labels to learn from
            since no pretraining trains [CLS].
        segment_pooling: How a classifier joins the pieces of a sequence longer than
            `max_position_embeddings` tokens: "mean" of the pieces' pooled outputs (any length, no
            new weights), "concat" of exactly `num_segments` of them (DNABERT-XL of Ji et al. 2021),
            or the final states of a bidirectional "lstm" or "gru" over them.
        num_segments: Pieces that "concat" makes room for; not used otherwise.
        num_segment_rnn_layers: Layers of the "lstm" or "gru".
        padded_segments: Pieces that "concat", "lstm" and "gru" fill a sequence up to, with what the
            pooler gives for a piece of [PAD] alone: so did the classifiers for long sequences of
            the original code. None adds none.
        attended_padding: Tokens that each sequence is padded to on the right, that padding being
            attended to, at weights smaller by the factor e: so did the original code from June
            2021 on (`dnabert convert --padded-to`). None masks all padding.
        both_strands: Whether a classifier was trained on sequences of either strand, so that its
            predictions are means over a sequence and its reverse complement unless asked otherwise.
        positive: Name of the class that a classifier is for, which its scores, tracks and motifs
            are about unless asked otherwise.
        training_lengths: Bases of the sequences that a classifier was trained on: the fewest, the
            median and the most.
        call_threshold: Least probability of `positive` for a call along a genome, as sequences that
            were not trained on suggest.
        **kwargs: Fields of `transformers.BertConfig`.

    Raises:
        huggingface_hub.errors.StrictDataclassError: If a field has the wrong type or the fields
            contradict each other.

    Example:
        >>> DNABertConfig(k=4).vocab_size
        261
        >>> DNABertConfig(vocab_size=1029).k
        5
    """

    model_type = "dnabert"
    _auto_class = "AutoConfig"

    vocab_size: int | None = None  # type: ignore[assignment]  # until k or the default gives it
    k: int | None = None
    token_pooling: Literal["cls", "mean"] = "cls"
    segment_pooling: Literal["mean", "concat", "lstm", "gru"] = "mean"
    num_segments: int | None = None
    num_segment_rnn_layers: int = 2
    padded_segments: int | None = None
    attended_padding: int | None = None
    both_strands: bool = False
    positive: str | None = None
    training_lengths: list[int] | None = None
    call_threshold: float | int | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        """Fill in `k` or `vocab_size` from the other, and drop what old configs carry along."""
        for name in _LEGACY_FIELDS:
            kwargs.pop(name, None)
        if self.k is None:
            self.k = _k_of_vocabulary(self.vocab_size)
        if self.vocab_size is None:
            self.vocab_size = vocabulary_size(self.k)
        kwargs["auto_map"] = dict(AUTO_MAP)
        super().__post_init__(**kwargs)

    def to_dict(self) -> dict[str, Any]:
        """Give the fields as a dictionary, as in `transformers.PreTrainedConfig`.

        PEFT calls this to learn `model_type` before it looks up which modules it adapts unless told
        otherwise, so this is where its tables, if it is loaded, learn that they are BERT's.
        """
        for name, table in vars(sys.modules.get("peft.utils.constants", object)).items():
            if name.startswith("TRANSFORMERS_MODELS_TO_") and "bert" in table:
                table.setdefault(self.model_type, table["bert"])
        return super().to_dict()

    def validate_k(self) -> None:
        """Check that `k` is supported and agrees with the size of the vocabulary."""
        if self.k not in SUPPORTED_K:
            raise ValueError(f"k must be from 2 to 8, got {self.k}")
        check_vocabulary_size(self.k, self.vocab_size)

    def validate_segments(self) -> None:
        """Check that "concat" knows how many pieces it joins."""
        if self.segment_pooling == "concat" and (self.num_segments or 0) < 1:
            raise ValueError(
                'segment_pooling="concat" needs num_segments, the largest number of pieces of '
                f"{self.max_position_embeddings - 2} k-mers in a sequence, got {self.num_segments}"
            )
        if self.num_segment_rnn_layers < 1:
            raise ValueError(
                f"num_segment_rnn_layers must be 1 or more, got {self.num_segment_rnn_layers}"
            )
        if self.padded_segments is not None and not (
            self.padded_segments >= 1 and self.segment_pooling != "mean"
        ):
            raise ValueError(
                'padded_segments must be 1 or more, with segment_pooling="concat", "lstm" or "gru",'
                f' got {self.padded_segments} with "{self.segment_pooling}"'
            )

    def validate_padding(self) -> None:
        """Check that there are positions for the padding that is attended to."""
        limit = self.max_position_embeddings
        if self.attended_padding is not None and not 3 <= self.attended_padding <= limit:
            raise ValueError(
                f"attended_padding must be from 3 to {limit} tokens, got {self.attended_padding}"
            )


def _k_of_vocabulary(vocab_size: int | None) -> int:
    if vocab_size is None:
        return PUBLISHED_K[-1]
    for k in SUPPORTED_K:
        if vocab_size == vocabulary_size(k):
            return k
    for k in PUBLISHED_K:
        if vocabulary_size(k) <= vocab_size < vocabulary_size(k + 1):
            return k
    sizes = ", ".join(f"{vocabulary_size(k)} (k = {k})" for k in SUPPORTED_K)
    raise ValueError(f"vocab_size must be that of a DNABERT vocabulary, {sizes}; got {vocab_size}")
