"""DNABERT models: BERT over k-mers, with classifiers that take sequences of any length."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import (
    BertForMaskedLM,
    BertForTokenClassification,
    BertModel,
    BertPreTrainedModel,
    PreTrainedModel,
)
from transformers import initialization as init
from transformers.modeling_outputs import (
    BaseModelOutputWithPoolingAndCrossAttentions,
    MaskedLMOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)
from transformers.utils.generic import can_return_tuple

from .configuration_dnabert import DNABertConfig

_CLS_ID, _SEP_ID = 2, 3
_ENCODER = r"(bert\.)?(embeddings|encoder)\."  # names of weights that no model does without

__all__ = [
    "DNABertForMaskedLM",
    "DNABertForSequenceClassification",
    "DNABertForTokenClassification",
    "DNABertModel",
    "DNABertPreTrainedModel",
    "sequence_loss",
]


class DNABertPreTrainedModel(BertPreTrainedModel):
    """Base of the DNABERT models: BERT's weight names, initialisation and attention kernels."""

    config: DNABertConfig
    # position_ids: a buffer that checkpoints of old transformers carry.
    _keys_to_ignore_on_load_unexpected = [r"position_ids"]

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: Any, *model_args: Any, **kwargs: Any
    ) -> Any:
        """Load a model, as in `transformers.PreTrainedModel.from_pretrained`.

        Raises:
            ValueError: If weights of the encoder are not there under BERT's names. They would be
                random, with no more than a warning; multimolecule's DNABERT, for one, has the same
                `model_type`, but other names and another order of the vocabulary.
        """
        wants_info = kwargs.pop("output_loading_info", False)
        loaded: Any = super().from_pretrained(
            pretrained_model_name_or_path, *model_args, output_loading_info=True, **kwargs
        )
        model, info = loaded
        missing = [key for key in info["missing_keys"] if re.match(_ENCODER, key)]
        if missing:
            others = sorted(info["unexpected_keys"])
            found = (
                f" and has {len(others)} others ({', '.join([*others[:2], '...'])})"
                if others
                else ""
            )
            raise ValueError(
                f"{pretrained_model_name_or_path} must have the weights of DNABERT's encoder by "
                f"BERT's names, but lacks {len(missing)} of them ({min(missing)}, ...)"
                f"{found}: it is damaged or of another make or architecture; multimolecule's is "
                "brought over by `dnabert convert` of the package dnabert-hf"
            )
        return (model, info) if wants_info else model

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, nn.RNNBase):  # transformers leaves these uninitialised
            bound = 1 / math.sqrt(module.hidden_size)
            for parameter in module.parameters():
                init.uniform_(parameter, -bound, bound)


class DNABertModel(DNABertPreTrainedModel, BertModel):
    """DNABERT encoder: `transformers.BertModel` over k-mers (Ji et al. 2021).

    The pooler of the published checkpoints was never trained; the mean of the last hidden states
    over the k-mers describes a sequence better than `pooler_output` does.
    """

    _auto_class = "AutoModel"

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, ...] | BaseModelOutputWithPoolingAndCrossAttentions:
        """Encode a batch of at most `max_position_embeddings` tokens a sequence.

        Attentions are available under every attention kernel: a call with
        `output_attentions=True` runs eagerly, whatever the model was loaded with.

        Args:
            input_ids: Token ids, shape (batch, tokens).
            attention_mask: 1 for tokens, 0 for padding, shape (batch, tokens).
            token_type_ids: 0 for the first and 1 for the second sequence of a pair, same shape.
            position_ids: Positions from 0, shape (batch, tokens).
            inputs_embeds: Embeddings in place of `input_ids`, shape (batch, tokens, hidden).
            **kwargs: As in `transformers.BertModel.forward`.

        Returns:
            `last_hidden_state`, shape (batch, tokens, hidden), and `pooler_output`, shape
            (batch, hidden), from [CLS] or the mean of the k-mers as `config.token_pooling` says.

        Raises:
            ValueError: If a sequence is too long or a token id is not in the vocabulary.
        """
        inputs = input_ids if input_ids is not None else inputs_embeds
        limit = self.config.max_position_embeddings
        if inputs is not None and inputs.shape[1] > limit:
            raise ValueError(
                f"a sequence must have at most {limit} tokens ({limit - 2} k-mers, [CLS] and "
                f"[SEP]), got {inputs.shape[1]}; cut it into windows with tokenizer(..., "
                f"truncation=True, max_length={limit}, stride=..., return_overflowing_tokens=True),"
                " or use DNABertForSequenceClassification, which takes any length"
            )
        wants_attentions = kwargs.get("output_attentions", self.config.output_attentions)
        kwargs.setdefault("use_cache", False)  # an encoder has none; checkpointing would warn
        with _eager_attention(self.config, when=bool(wants_attentions)):
            try:
                outputs = super().forward(
                    input_ids=input_ids,
                    attention_mask=attention_mask,
                    token_type_ids=token_type_ids,
                    position_ids=position_ids,
                    inputs_embeds=inputs_embeds,
                    **kwargs,
                )
            except IndexError as error:
                raise ValueError(self._explain(input_ids)) from error
        if self.pooler is None or self.config.token_pooling == "cls":
            return outputs
        mean = _mean_of_kmers(outputs[0], input_ids, attention_mask)
        pooled = self.pooler(mean[:, None])  # BERT's pooler takes the first token
        if isinstance(outputs, tuple):
            return (outputs[0], pooled, *outputs[2:])
        outputs["pooler_output"] = pooled
        return outputs

    def _explain(self, input_ids: torch.Tensor | None) -> str:
        largest = None if input_ids is None else int(input_ids.max())
        return (
            f"token ids must be below {self.config.vocab_size}, the vocabulary of k = "
            f"{self.config.k}, and position and token type ids in range; the largest token id is "
            f"{largest}: use the tokenizer of this checkpoint (DNABertTokenizer(k={self.config.k}))"
        )


class DNABertForMaskedLM(DNABertPreTrainedModel, BertForMaskedLM):
    """DNABERT with the masked language modelling head."""

    _auto_class = "AutoModelForMaskedLM"

    def __init__(self, config: DNABertConfig):
        super().__init__(config)
        self.bert = DNABertModel(config, add_pooling_layer=False)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, ...] | MaskedLMOutput:
        """Score every token, or only the labelled ones when labels are given.

        With labels the head runs on the labelled positions alone (15 % of the tokens in
        pretraining): the loss is the same and its memory a fraction.

        Args:
            input_ids: Token ids, shape (batch, tokens).
            attention_mask: 1 for tokens, 0 for padding, shape (batch, tokens).
            token_type_ids: Shape (batch, tokens).
            position_ids: Shape (batch, tokens).
            inputs_embeds: Embeddings in place of `input_ids`, shape (batch, tokens, hidden).
            labels: Original token ids at the masked positions and -100 elsewhere, shape
                (batch, tokens).
            **kwargs: As in `transformers.BertForMaskedLM.forward`; `num_items_in_batch` divides
                the loss, so that gradient accumulation is exact.

        Returns:
            `logits` of shape (batch, tokens, vocabulary) without labels; with labels `loss` and
            the `logits` of the labelled positions in row-major order, shape (labelled, vocabulary).
        """
        outputs = self.bert(
            input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            return_dict=True,
            **kwargs,
        )
        hidden = outputs.last_hidden_state
        loss = None
        if labels is None:
            logits = self.cls(hidden)
        else:
            is_labelled = labels != -100
            logits = self.cls(hidden[is_labelled])
            loss = self.loss_function(
                logits, labels[is_labelled], vocab_size=self.config.vocab_size, **kwargs
            )
        return MaskedLMOutput(
            loss=loss,
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )


class DNABertForSequenceClassification(DNABertPreTrainedModel):
    """DNABERT with a classification or regression head, for sequences of any length.

    A sequence longer than `max_position_embeddings` tokens is cut into consecutive pieces, each
    wrapped in [CLS] and [SEP] and encoded alone with positions from 0; `config.segment_pooling`
    says how the pieces' pooled outputs are joined (DNABERT-XL, Ji et al. 2021, section 2.4).
    """

    _auto_class = "AutoModelForSequenceClassification"
    # Plain means in every problem type: the Trainer has to divide by the accumulation steps.
    accepts_loss_kwargs = False

    def __init__(self, config: DNABertConfig):
        super().__init__(config)
        self.num_labels: int = len(config.id2label or {})
        self.bert = DNABertModel(config)
        dropout = config.classifier_dropout
        self.dropout = nn.Dropout(config.hidden_dropout_prob if dropout is None else dropout)
        # Whatever is new for a task is called `classifier`, so that PEFT trains and saves it.
        if config.segment_pooling == "mean":
            self.classifier: nn.Module = nn.Linear(config.hidden_size, self.num_labels)
        elif config.segment_pooling == "concat":
            self.classifier = nn.Sequential(
                nn.Linear((config.num_segments or 0) * config.hidden_size, config.hidden_size),
                nn.ReLU(),
                nn.Dropout(self.dropout.p),
                nn.Linear(config.hidden_size, self.num_labels),
            )
        else:
            self.classifier = _SegmentRNNClassifier(config, self.num_labels, self.dropout.p)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, ...] | SequenceClassifierOutput:
        """Classify a batch of sequences.

        Args:
            input_ids: Token ids, [CLS] first and [SEP] last, shape (batch, tokens), any length.
            attention_mask: 1 for tokens, 0 for padding, shape (batch, tokens).
            token_type_ids: Shape (batch, tokens).
            position_ids: Shape (batch, tokens); not for sequences that are cut into pieces.
            inputs_embeds: Embeddings in place of `input_ids`, shape (batch, tokens, hidden); not
                for sequences that are cut into pieces.
            labels: Class indices (batch,), 0.0 or 1.0 per class (batch, classes) for multi-label,
                or values (batch,) or (batch, targets) for regression.
            **kwargs: As in `transformers.BertModel.forward`.

        Returns:
            `loss` if labels are given and `logits` of shape (batch, labels). Hidden states and
            attentions of a batch that was cut have one row per piece.

        Raises:
            ValueError: If a sequence has more pieces than "concat" has room for.
        """
        outputs, rows = self.encode(
            input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            **kwargs,
        )
        logits = self.classify(outputs.pooler_output, rows)
        return SequenceClassifierOutput(
            loss=None if labels is None else sequence_loss(self, logits, labels),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    def encode(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[Any, torch.Tensor | None]:
        """Run the encoder over a batch, sequences that are too long for it cut into pieces.

        Args:
            input_ids: As in `forward`, and so are the others.
            attention_mask: Shape (batch, tokens).
            token_type_ids: Shape (batch, tokens).
            position_ids: Shape (batch, tokens).
            inputs_embeds: Shape (batch, tokens, hidden).
            **kwargs: As in `transformers.BertModel.forward`.

        Returns:
            Outputs of the encoder, a row for each piece, and `rows` as `classify` takes it.

        Raises:
            ValueError: If sequences have to be cut, but are no ids or have positions.
        """
        inputs = input_ids if input_ids is not None else inputs_embeds
        rows = None
        if inputs is not None and inputs.shape[1] > self.config.max_position_embeddings:
            if input_ids is None or position_ids is not None:
                raise ValueError(
                    f"sequences of more than {self.config.max_position_embeddings} tokens are cut "
                    f"into pieces, which needs input_ids and no position_ids; got "
                    f"{inputs.shape[1]} tokens"
                )
            input_ids, attention_mask, token_type_ids, rows = _cut_into_pieces(
                input_ids, attention_mask, token_type_ids, self.config
            )
        outputs = self.bert(
            input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            return_dict=True,
            **kwargs,
        )
        return outputs, rows

    def classify(self, pooled: torch.Tensor, rows: torch.Tensor | None) -> torch.Tensor:
        """Turn the pooled outputs of pieces into the logits of their sequences.

        Args:
            pooled: Pooled outputs, shape (pieces, hidden), the pieces of a sequence in order.
            rows: Sequence that each piece belongs to, ascending from 0, shape (pieces,); None if
                every piece is a sequence.

        Returns:
            Logits, shape (sequences, labels).

        Raises:
            ValueError: If a sequence has more pieces than "concat" has room for.
        """
        if self.config.segment_pooling == "mean":
            return self.classifier(self.dropout(_mean_of_pieces(pooled, rows)))
        if rows is None:
            rows = torch.arange(len(pooled), device=pooled.device)
        n_pieces = torch.bincount(rows)
        most = int(n_pieces.max())
        if self.config.segment_pooling == "concat":
            room = self.config.num_segments or 0
            if most > room:
                raise ValueError(
                    f"a sequence must fit into num_segments = {room} pieces of "
                    f"{self.config.max_position_embeddings - 2} k-mers, got one of {most} pieces; "
                    'raise num_segments, or use segment_pooling="mean", "lstm" or "gru"'
                )
            most = room
        first = torch.cumsum(n_pieces, 0) - n_pieces
        within = torch.arange(len(rows), device=rows.device) - first[rows]
        padded = pooled.new_zeros(len(n_pieces), most, pooled.shape[1])
        padded = padded.index_put((rows, within), self.dropout(pooled))
        if self.config.segment_pooling == "concat":
            return self.classifier(padded.flatten(1))
        return self.classifier(padded, n_pieces)


def sequence_loss(
    model: PreTrainedModel, logits: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Compute the loss of a sequence classifier as `config.problem_type` says.

    Args:
        model: The classifier.
        logits: Shape (batch, labels).
        labels: Class indices (batch,), or numbers of any type, shape (batch,) or (batch, labels).

    Returns:
        The mean loss, a scalar.
    """
    config = model.config
    is_class_index = config.problem_type == "single_label_classification" or (
        config.problem_type is None and logits.shape[1] > 1
    )
    if not is_class_index:
        labels = labels.to(logits.dtype)
    return model.loss_function(labels=labels, pooled_logits=logits, config=config)


class DNABertForTokenClassification(DNABertPreTrainedModel, BertForTokenClassification):
    """DNABERT with a linear head over every k-mer."""

    _auto_class = "AutoModelForTokenClassification"

    def __init__(self, config: DNABertConfig):
        super().__init__(config)
        self.bert = DNABertModel(config, add_pooling_layer=False)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, ...] | TokenClassifierOutput:
        """Classify every token.

        Args:
            input_ids: Token ids, shape (batch, tokens).
            attention_mask: 1 for tokens, 0 for padding, shape (batch, tokens).
            token_type_ids: Shape (batch, tokens).
            position_ids: Shape (batch, tokens).
            inputs_embeds: Embeddings in place of `input_ids`, shape (batch, tokens, hidden).
            labels: Class indices, -100 where there is none, shape (batch, tokens).
            **kwargs: As in `transformers.BertModel.forward`; `num_items_in_batch` divides the
                loss, so that gradient accumulation is exact.

        Returns:
            `loss` if labels are given and `logits` of shape (batch, tokens, labels).
        """
        outputs = self.bert(
            input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            return_dict=True,
            **kwargs,
        )
        logits = self.classifier(self.dropout(outputs.last_hidden_state))
        loss = None
        if labels is not None:
            loss = self.loss_function(logits, labels, self.config, **kwargs)
        return TokenClassifierOutput(
            loss=loss,
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )


class _SegmentRNNClassifier(nn.Module):
    """Bidirectional LSTM or GRU over pooled pieces; its final states are summed and classified."""

    def __init__(self, config: DNABertConfig, num_labels: int, dropout: float):
        super().__init__()
        rnn_class = nn.LSTM if config.segment_pooling == "lstm" else nn.GRU
        self.rnn = rnn_class(
            config.hidden_size,
            config.hidden_size,
            num_layers=config.num_segment_rnn_layers,
            bidirectional=True,
            batch_first=True,
        )
        self.dropout = nn.Dropout(dropout)
        self.out_proj = nn.Linear(config.hidden_size, num_labels)

    def forward(self, pieces: torch.Tensor, n_pieces: torch.Tensor) -> torch.Tensor:
        """Classify rows of pieces (batch, most pieces, hidden) that hold n_pieces (batch,) each."""
        packed = nn.utils.rnn.pack_padded_sequence(
            pieces, n_pieces.cpu(), batch_first=True, enforce_sorted=False
        )
        _, state = self.rnn(packed)
        hidden = state[0] if isinstance(state, tuple) else state
        return self.out_proj(self.dropout(hidden.sum(dim=0)))


def _mean_of_kmers(
    hidden: torch.Tensor, input_ids: torch.Tensor | None, attention_mask: torch.Tensor | None
) -> torch.Tensor:
    """Mean of hidden states over the k-mers, shape (batch, hidden).

    Without ids, [CLS] and [SEP] cannot be told from k-mers and count too.
    """
    weights = torch.ones_like(hidden[..., 0])
    if attention_mask is not None:
        weights = weights * attention_mask
    if input_ids is not None:
        weights = weights * (input_ids != _CLS_ID) * (input_ids != _SEP_ID)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.einsum("bth,bt->bh", hidden, weights.to(hidden.dtype))


def _mean_of_pieces(pooled: torch.Tensor, rows: torch.Tensor | None) -> torch.Tensor:
    if rows is None:
        return pooled
    n_pieces = torch.bincount(rows)
    sums = pooled.new_zeros(len(n_pieces), pooled.shape[1]).index_add(0, rows, pooled)
    return sums / n_pieces[:, None].to(pooled.dtype)


def _cut_into_pieces(
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None,
    token_type_ids: torch.Tensor | None,
    config: DNABertConfig,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor]:
    """Cut rows of [CLS] content [SEP] into pieces that the encoder takes.

    Returns:
        Token ids, attention mask and token types of the pieces, shape (pieces, tokens), and the
        row that each piece comes from, shape (pieces,).
    """
    device = input_ids.device
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    n_tokens = attention_mask.sum(dim=1)
    n_content = (n_tokens - 2).clamp(min=0)
    first = attention_mask.to(torch.int8).argmax(dim=1)  # of [CLS]: padding may be on the left
    room = config.max_position_embeddings - 2
    n_pieces = ((n_content + room - 1) // room).clamp(min=1)
    rows = torch.repeat_interleave(torch.arange(len(input_ids), device=device), n_pieces)
    piece = torch.arange(len(rows), device=device) - (torch.cumsum(n_pieces, 0) - n_pieces)[rows]
    begin = piece * room
    length = (n_content[rows] - begin).clamp(max=room)

    column = torch.arange(int(length.max()) + 2, device=device)
    source = first[rows, None] + begin[:, None] + column
    last = (first + n_tokens - 1)[rows, None]  # of [SEP]
    source = torch.where(column == 0, first[rows, None], source)
    source = torch.where(column == length[:, None] + 1, last, source)
    is_token = column < length[:, None] + 2
    source = torch.where(is_token, source, last)

    ids = input_ids[rows[:, None], source]
    ids = torch.where(is_token, ids, torch.full_like(ids, config.pad_token_id or 0))
    types = None if token_type_ids is None else token_type_ids[rows[:, None], source] * is_token
    return ids, is_token.to(attention_mask.dtype), types, rows


@contextmanager
def _eager_attention(config: DNABertConfig, *, when: bool) -> Iterator[None]:
    """Run the attention eagerly for a while, since no other kernel returns its weights."""
    implementation = config._attn_implementation
    if not when or implementation == "eager":
        yield
        return
    config._attn_implementation = "eager"
    try:
        yield
    finally:
        config._attn_implementation = implementation
