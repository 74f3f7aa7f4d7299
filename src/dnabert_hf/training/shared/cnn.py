"""Neural networks over one-hot bases that DNABERT is compared with.

CNN, CNN+LSTM and CNN+GRU, as Ji et al. 2021 compare with, and DeepBind, DanQ and Basset.
"""

import math
from typing import Any, Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.utils.generic import can_return_tuple

from dnabert_hf.modeling.configuration_dnabert import (
    N_SPECIAL_TOKENS,
    SUPPORTED_K,
    vocabulary_size,
)
from dnabert_hf.modeling.modeling_dnabert import sequence_loss
from dnabert_hf.training.networks.published import (
    BASSET_LEAST,
    DANQ_LEAST,
    Basset,
    DanQ,
    centre,
)

__all__ = ["DNACnnConfig", "DNACnnForSequenceClassification", "one_hot_bases"]

_UNK_ID, _MASK_ID = 1, 4

# Ji et al. 2021 give no sizes. "cnn" is DeepBind's layout (Alipanahi et al. 2015: 16 filters of 24
# bases, global maximum, 32 hidden units) with more filters, as Zeng et al. 2016 advise for binding
# sites, and without dropout (validation MCC 0.50, with dropout of 0.5 0.46, from 1,000 sequences of
# GABPA); the two others have the sizes of DanQ (Quang and Xie 2016).
_DANQ = {"num_filters": 320, "filter_width": 26, "dense_size": 925, "dropout": 0.5}
_SIZES: dict[str, dict[str, Any]] = {
    "cnn": {"num_filters": 128, "filter_width": 24, "dense_size": 32, "dropout": 0.0},
    "cnn-lstm": _DANQ,
    "cnn-gru": _DANQ,
    # DeepBind as published: 16 detectors of 24 bases and, one of its two layouts, 32 hidden units
    # with dropout.
    "deepbind": {"num_filters": 16, "filter_width": 24, "dense_size": 32, "dropout": 0.5},
    "danq": _DANQ,
    # Of its first layer and the last two; the others are as published.
    "basset": {"num_filters": 300, "filter_width": 19, "dense_size": 1000, "dropout": 0.3},
}
# Networks with weights for each position, and the fewest positions they have.
_PUBLISHED_LENGTHS = {"danq": 1000, "basset": 600}
_POSITIONAL = {"danq": DANQ_LEAST, "basset": BASSET_LEAST}


@strict
class DNACnnConfig(PreTrainedConfig):
    """Configuration of a convolutional network over one-hot bases.

    Args:
        architecture: What follows the convolution: its maximum over the sequence ("cnn" and, in the
            published size, "deepbind"), or a bidirectional LSTM or GRU ("cnn-lstm", "cnn-gru");
            "danq" and "basset" are the published networks, with weights for each position.
        k: Bases per k-mer of the tokenizer, 2 to 8. The network sees bases whatever k is; the
            smallest loses the fewest beside unknown letters.
        num_filters: Filters of the convolution; by default 128, with LSTM or GRU 320.
        filter_width: Bases that a filter covers; by default 24, with LSTM or GRU 26.
        pool_width: Positions that one step of the LSTM or GRU covers.
        rnn_size: Units of the LSTM or GRU in each direction.
        dense_size: Units of the hidden layer; by default 32, with LSTM or GRU 925.
        filter_dropout: Share dropped of what the filters give to the LSTM or GRU.
        dropout: Share dropped of what goes to the hidden layer; by default none, with LSTM or GRU
            0.5.
        max_length: Bases of the longest sequence that "danq" and "basset" take; shorter ones lie in
            its middle. Training sets it by its data; by default 1,000 and 600, as published. The
            fewest are 38 and 168.
        both_strands: As in `DNABertConfig`, and so are the three after it.
        positive: See there.
        training_lengths: See there.
        call_threshold: See there.
        pad_token_id: Id of [PAD].
        **kwargs: Fields of `transformers.PreTrainedConfig`.

    Raises:
        huggingface_hub.errors.StrictDataclassError: If a field has the wrong type or range.

    Example:
        >>> DNACnnConfig(architecture="cnn-gru").num_filters
        320
    """

    model_type = "dna_cnn"

    architecture: Literal["cnn", "cnn-lstm", "cnn-gru", "deepbind", "danq", "basset"] = "cnn"
    k: int = 3
    num_filters: int | None = None
    filter_width: int | None = None
    pool_width: int = 13
    rnn_size: int = 320
    dense_size: int | None = None
    filter_dropout: float | int = 0.2
    dropout: float | int | None = None
    max_length: int | None = None
    both_strands: bool = False
    positive: str | None = None
    training_lengths: list[int] | None = None
    call_threshold: float | int | None = None
    pad_token_id: int | None = 0  # the tokenizer's: the Trainer speaks of any other

    def __post_init__(self, **kwargs: Any) -> None:
        """Fill in the sizes that depend on the architecture."""
        # A wrong architecture is for @strict to refuse, once all fields are there.
        for name, size in _SIZES.get(self.architecture, {}).items():
            if getattr(self, name) is None:
                setattr(self, name, size)
        if self.max_length is None:
            self.max_length = _PUBLISHED_LENGTHS.get(self.architecture)
        super().__post_init__(**kwargs)

    @property
    def least_length(self) -> int | None:
        """Fewest positions of a network with weights for each; None for any other."""
        return _POSITIONAL.get(self.architecture)

    def validate_length(self) -> None:
        """Check that a network with weights for each position has enough of them."""
        least = self.least_length
        if self.max_length is None:
            return
        if least is None:
            raise ValueError(
                f"max_length is for {' and '.join(_POSITIONAL)}, which have weights for each "
                f"position, got {self.max_length} for {self.architecture}; leave it out"
            )
        if self.max_length < least:
            raise ValueError(f"max_length must be {least} or more, got {self.max_length}")

    def validate_k(self) -> None:
        """Check that there is a tokenizer for `k`."""
        if self.k not in SUPPORTED_K:
            raise ValueError(f"k must be from 2 to 8, got {self.k}")

    def validate_sizes(self) -> None:
        """Check that every layer has units and every dropout leaves some."""
        for name in ("num_filters", "filter_width", "pool_width", "rnn_size", "dense_size"):
            if (getattr(self, name) or 0) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        for name in ("filter_dropout", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 0 and below 1, got {getattr(self, name)}"
                )


class DNACnnForSequenceClassification(PreTrainedModel):
    """Convolution over one-hot bases, ReLU and pooling, an LSTM or GRU or none, and two layers.

    Takes the token ids that DNABERT takes, so that both train on the same batches. Padding does not
    change a result. As in DeepBind, filters reach over both ends of the sequence, which has any
    length. Where DanQ has weights for every step of its LSTM, which fixes the length, the hidden
    layer of "cnn-lstm" gets the largest value of each unit over the steps; "danq" and "basset" are
    built as published, for sequences of `max_length` bases at most.
    """

    config: DNACnnConfig
    # Plain means in every problem type: the Trainer has to divide by the accumulation steps.
    accepts_loss_kwargs = False

    def __init__(self, config: DNACnnConfig):
        super().__init__(config)
        self.num_labels: int = len(config.id2label or {})
        self.network: DanQ | Basset | None = None
        if config.least_length is not None:
            make: Any = {"danq": DanQ, "basset": Basset}[config.architecture]
            self.network = make(config, self.num_labels)
            self.post_init()
            return
        n_filters, width = config.num_filters or 0, config.filter_width or 0
        self.convolution = nn.Conv1d(4, n_filters, width, padding=width - 1)
        self.rnn: nn.RNNBase | None = None
        n_features = n_filters
        if config.architecture in ("cnn-lstm", "cnn-gru"):
            rnn_class = nn.LSTM if config.architecture == "cnn-lstm" else nn.GRU
            self.rnn = rnn_class(n_filters, config.rnn_size, batch_first=True, bidirectional=True)
            n_features = 2 * config.rnn_size
        self.filter_dropout = nn.Dropout(config.filter_dropout)
        self.dropout = nn.Dropout(config.dropout or 0.0)
        self.dense = nn.Linear(n_features, config.dense_size or 0)
        self.classifier = nn.Linear(config.dense_size or 0, self.num_labels)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        # As PyTorch does: BERT's standard deviation of 0.02 is far too small for 24 x 4 one-hot
        # inputs, of which 24 are not zero.
        if isinstance(module, nn.RNNBase):
            bound = 1 / math.sqrt(module.hidden_size)
        elif isinstance(module, nn.Conv1d | nn.Linear):
            bound = 1 / math.sqrt(module.weight[0].numel())
        else:
            return
        for parameter in module.parameters():
            init.uniform_(parameter, -bound, bound)

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,  # noqa: ARG002  # the tokenizer gives them
        labels: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, ...] | SequenceClassifierOutput:
        """Classify a batch of sequences.

        Args:
            input_ids: Token ids of the tokenizer with the k of the config, shape (batch, tokens),
                any length.
            attention_mask: 1 for tokens, 0 for padding, shape (batch, tokens).
            token_type_ids: Not used: [SEP] tells the sequences of a pair apart.
            labels: Class indices (batch,), 0.0 or 1.0 per class (batch, classes) for multi-label,
                or values (batch,) or (batch, targets) for regression.

        Returns:
            `loss` if labels are given and `logits` of shape (batch, labels).

        Raises:
            ValueError: If a token id is not in the vocabulary of k.
        """
        bases, n_bases = one_hot_bases(input_ids, attention_mask, k=self.config.k)
        if self.network is not None:
            of_type = bases.to(self.network.classifier.weight.dtype)
            logits = self.network(centre(of_type, n_bases, self.network.width))
        else:
            logits = self._search(bases, n_bases)
        loss = None if labels is None else sequence_loss(self, logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)

    def _search(self, bases: torch.Tensor, n_bases: torch.Tensor) -> torch.Tensor:
        """Give the logits of networks that look for their filters anywhere, (batch, labels)."""
        matches = torch.relu(self.convolution(bases.to(self.convolution.weight.dtype)))
        n_positions = n_bases + self.convolution.kernel_size[0] - 1
        positions = torch.arange(matches.shape[2], device=matches.device)
        # No match is below 0, so that 0 beyond the end of a sequence changes no maximum.
        matches = matches * (positions < n_positions[:, None])[:, None]
        if self.rnn is None:
            features = matches.amax(dim=2)
        else:
            features = self._scan(self.rnn, matches, n_positions)
        hidden = torch.relu(self.dense(self.dropout(features)))
        return torch.as_tensor(self.classifier(hidden))

    def _scan(
        self, rnn: nn.RNNBase, matches: torch.Tensor, n_positions: torch.Tensor
    ) -> torch.Tensor:
        """Run the LSTM or GRU over pooled matches (batch, filters, positions).

        Returns:
            Largest value of each unit over the steps of its sequence, shape (batch, 2 x units).
        """
        width = self.config.pool_width
        pooled = functional.max_pool1d(matches, width, stride=width, ceil_mode=True)
        n_steps = (n_positions + width - 1) // width
        packed = nn.utils.rnn.pack_padded_sequence(
            self.filter_dropout(pooled).transpose(1, 2),
            n_steps.cpu(),
            batch_first=True,
            enforce_sorted=False,
        )
        # States lie between -1 and 1; no sequence may take its maximum from the padding.
        states, _ = nn.utils.rnn.pad_packed_sequence(
            rnn(packed)[0], batch_first=True, padding_value=-1.0
        )
        return states.amax(dim=1)


def one_hot_bases(
    input_ids: torch.Tensor, attention_mask: torch.Tensor | None, *, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn the token ids of sequences back into their bases.

    Each base is read off the k-mers that cover it. A column is zero where none is known: at a
    letter such as N, and from there to the end of the sequence if that is fewer than k bases off.
    One such column lies between the sequences of a pair.

    Args:
        input_ids: Token ids, shape (batch, tokens); padding may be on either side.
        attention_mask: 1 for tokens, 0 for padding, shape (batch, tokens).
        k: Bases per k-mer.

    Returns:
        Rows for A, T, C and G (the order of the vocabulary), shape (batch, 4, bases of the longest
        sequence), and the bases of each sequence, shape (batch,).

    Raises:
        ValueError: If a token id is not in the vocabulary of k.

    Example:
        >>> ids = torch.tensor([[2, 12, 36, 67, 62, 3]])  # ATGGCT
        >>> bases, n_bases = one_hot_bases(ids, None, k=3)
        >>> bases[0].argmax(dim=0).tolist(), n_bases.tolist()
        ([0, 1, 3, 3, 2, 1], [6])
    """
    if int(input_ids.max()) >= vocabulary_size(k):
        raise ValueError(
            f"token ids must be below {vocabulary_size(k)}, the vocabulary of k = {k}; the largest "
            f"is {int(input_ids.max())}: use DNABertTokenizer(k={k})"
        )
    is_kmer = (input_ids == _UNK_ID) | (input_ids >= _MASK_ID)
    if attention_mask is not None:
        is_kmer &= attention_mask.bool()
    is_first = is_kmer & ~functional.pad(is_kmer, (1, 0))[:, :-1]
    n_sequences = is_first.cumsum(dim=1)  # of a pair, up to each token
    columns = is_kmer.cumsum(dim=1) - 1 + k * (n_sequences - 1)
    n_bases = (is_kmer.sum(dim=1) + k * n_sequences[:, -1] - 1).clamp(min=1)

    bases = torch.zeros(len(input_ids), 4, int(n_bases.max()), device=input_ids.device)
    rows, tokens = (is_kmer & (input_ids >= N_SPECIAL_TOKENS)).nonzero(as_tuple=True)
    numbers = input_ids[rows, tokens] - N_SPECIAL_TOKENS
    for offset in range(k):
        digits = numbers // 4 ** (k - 1 - offset) % 4
        bases[rows, digits, columns[rows, tokens] + offset] = 1
    return bases, n_bases
