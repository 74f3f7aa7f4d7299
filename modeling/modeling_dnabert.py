"""DNABERT models: BERT over k-mers, with classifiers that take sequences of any length."""

import math
import re
from typing import Any, Unpack

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
from transformers.models.bert.modeling_bert import (
    BertOnlyMLMHead,
    BertSelfAttention,
    eager_attention_forward,
)
from transformers.utils.generic import TransformersKwargs, can_return_tuple

from .configuration_dnabert import DNABertConfig, check_vocabulary_size

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

    def resize_token_embeddings(
        self,
        new_num_tokens: int | None = None,
        pad_to_multiple_of: int | None = None,
        mean_resizing: bool = True,
    ) -> nn.Embedding:
        """Make room for added tokens, as in `transformers.PreTrainedModel`.

        Raises:
            ValueError: If a vocabulary of this size could not be one of this k: the model could
                not be saved after the training.
        """
        size = (self.config.vocab_size if new_num_tokens is None else new_num_tokens) or 0
        if pad_to_multiple_of:
            size = -(-size // pad_to_multiple_of) * pad_to_multiple_of
        check_vocabulary_size(self.config.k or 0, size)
        return super().resize_token_embeddings(new_num_tokens, pad_to_multiple_of, mean_resizing)

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

    def __init__(self, config: DNABertConfig, add_pooling_layer: bool = True):
        super().__init__(config, add_pooling_layer=add_pooling_layer)
        layers: Any = self.encoder.layer
        for layer in layers:  # in place: built anew, they would be initialised twice
            layer.attention.self.__class__ = _SelfAttention

    @can_return_tuple
    def forward(  # type: ignore[misc]  # position_ids are in TransformersKwargs too
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
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
        inputs = _check_inputs(input_ids, inputs_embeds)
        limit = self.config.max_position_embeddings
        if inputs.shape[1] > limit:
            raise ValueError(
                f"a sequence must have at most {limit} tokens ({limit - 2} k-mers, [CLS] and "
                f"[SEP]), got {inputs.shape[1]}; cut it into windows with tokenizer(..., "
                f"truncation=True, max_length={limit}, stride=..., return_overflowing_tokens=True),"
                " or use DNABertForSequenceClassification, which takes any length"
            )
        given: dict[str, Any] = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "token_type_ids": token_type_ids,
            "position_ids": position_ids,
            "inputs_embeds": inputs_embeds,
        }
        if self.config.attended_padding and (attention_mask is None or attention_mask.dim() == 2):
            given = self._with_padding(**given)
        if kwargs.get("output_attentions", self.config.output_attentions):
            kwargs["output_attentions"] = True  # for the layers, if the config says it
            given["attention_mask"] = _additive_mask(
                given["attention_mask"], inputs, inputs.dtype if input_ids is None else self.dtype
            )
        kwargs.setdefault("use_cache", False)  # an encoder has none; checkpointing would warn
        try:
            outputs: Any = super().forward(**given, return_dict=True, **kwargs)
        except (IndexError, RuntimeError) as error:
            message = self._explain(input_ids, token_type_ids, position_ids)
            if message is None:
                raise
            raise ValueError(message) from error
        _cut_outputs(outputs, inputs.shape[1])
        if self.pooler is not None and self.config.token_pooling == "mean":
            mean = _mean_of_kmers(outputs.last_hidden_state, input_ids, attention_mask)
            outputs["pooler_output"] = self.pooler(mean[:, None])  # it takes the first token
        return outputs

    def attention_bias(self, attention_mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Make what is added to the attention's scores, shape (batch, 1, 1, tokens).

        It is 0 for tokens, -1 for padding up to `config.attended_padding` tokens, and the smallest
        number for all other padding. The original code adds 1 and 0 in place of 0 and -1, which a
        softmax cannot tell apart.

        Args:
            attention_mask: 1 for tokens, 0 for padding, shape (batch, tokens).
            dtype: Type of the scores.
        """
        bias = torch.zeros_like(attention_mask, dtype=dtype)
        bias = bias.masked_fill(attention_mask == 0, torch.finfo(dtype).min)
        attended = self.config.attended_padding or 0
        bias[:, :attended] = bias[:, :attended].clamp(min=-1)
        return bias[:, None, None]

    def _with_padding(
        self,
        input_ids: torch.Tensor | None,
        attention_mask: torch.Tensor | None,
        token_type_ids: torch.Tensor | None,
        position_ids: torch.Tensor | None,
        inputs_embeds: torch.Tensor | None,
    ) -> dict[str, Any]:
        """Pad inputs to `config.attended_padding` tokens, and make their additive mask."""
        kernel = self.config._attn_implementation
        if kernel not in ("eager", "sdpa"):
            raise ValueError(
                'a model with attended_padding needs attn_implementation="eager" or "sdpa", which '
                f'take a mask that is added to the scores, got "{kernel}"'
            )
        inputs = _check_inputs(input_ids, inputs_embeds)
        n_rows, n_tokens = inputs.shape[:2]
        n_missing = max(0, (self.config.attended_padding or 0) - n_tokens)
        pad_id = self.config.pad_token_id or 0
        layers: Any = self.encoder.layer
        query = layers[0].attention.self.query
        if attention_mask is None:
            attention_mask = inputs.new_ones((n_rows, n_tokens))
        if input_ids is not None:
            input_ids = nn.functional.pad(input_ids, (0, n_missing), value=pad_id)
        if token_type_ids is not None:
            token_type_ids = nn.functional.pad(token_type_ids, (0, n_missing))
        if position_ids is not None:
            more = torch.arange(n_tokens, n_tokens + n_missing, device=position_ids.device)
            position_ids = torch.cat([position_ids, more.expand(len(position_ids), -1)], dim=1)
        if inputs_embeds is not None:
            padding = self.embeddings.word_embeddings.weight[pad_id]
            padding = padding.to(inputs_embeds.dtype).expand(n_rows, n_missing, -1)
            inputs_embeds = torch.cat([inputs_embeds, padding], dim=1)
        # Layers may be in a narrower format than the rest; those of 8 bits give float32.
        is_float = isinstance(query.weight, torch.Tensor)
        dtype = query.weight.dtype if is_float else torch.float32
        attention_mask = nn.functional.pad(attention_mask, (0, n_missing))
        return {
            "input_ids": input_ids,
            "attention_mask": self.attention_bias(attention_mask, dtype),
            "token_type_ids": token_type_ids,
            "position_ids": position_ids,
            "inputs_embeds": inputs_embeds,
        }

    def _explain(
        self,
        input_ids: torch.Tensor | None,
        token_type_ids: torch.Tensor | None,
        position_ids: torch.Tensor | None,
    ) -> str | None:
        """Name the first of the inputs that is out of range."""
        config = self.config
        advice = f"use the tokenizer of this checkpoint (DNABertTokenizer(k={config.k}))"
        for name, values, limit, what in (
            ("token ids", input_ids, config.vocab_size or 0, f"the vocabulary of k = {config.k}"),
            ("token_type_ids", token_type_ids, config.type_vocab_size, "type_vocab_size"),
            ("position_ids", position_ids, config.max_position_embeddings, "the positions"),
        ):
            if values is not None and (int(values.min()) < 0 or int(values.max()) >= limit):
                return (
                    f"{name} must be from 0 to {limit - 1} ({what}), got {int(values.min())} to "
                    f"{int(values.max())}" + (f": {advice}" if name == "token ids" else "")
                )
        return None


class DNABertForMaskedLM(DNABertPreTrainedModel, BertForMaskedLM):
    """DNABERT with the masked language modelling head."""

    _auto_class = "AutoModelForMaskedLM"

    def __init__(self, config: DNABertConfig):
        super(BertForMaskedLM, self).__init__(config)  # whose own would build a BertModel first
        self.bert = DNABertModel(config, add_pooling_layer=False)
        self.cls = BertOnlyMLMHead(config)
        self.post_init()

    @can_return_tuple
    def forward(  # type: ignore[misc]  # position_ids are in TransformersKwargs too
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple[torch.Tensor, ...] | MaskedLMOutput:
        """Score every token, or in training only the labelled ones.

        In training mode (`model.train()`) with labels, the head runs on the labelled positions
        alone, 15 % of the tokens in pretraining: the loss is the same and its memory a fraction.
        In evaluation the logits have a row for every token, as the Trainer, `compute_metrics` and
        gathering across processes need it; `model.cls(hidden[is_labelled])` saves the memory there.

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
            `loss` if labels are given, and `logits` of shape (batch, tokens, vocabulary); in
            training with labels those of the labelled positions in row-major order, shape
            (labelled, vocabulary).
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
        if labels is not None and self.training:
            is_labelled = labels != -100
            hidden, labels = hidden[is_labelled], labels[is_labelled]
        logits = self.cls(hidden)
        loss = None
        if labels is not None:
            loss = self.loss_function(logits, labels, vocab_size=self.config.vocab_size, **kwargs)
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
        if config.padded_segments:
            self.register_buffer("padding_piece", torch.zeros(config.hidden_size))
        self.post_init()

    @can_return_tuple
    def forward(  # type: ignore[misc]  # position_ids are in TransformersKwargs too
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
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
            ValueError: If sequences have to be cut, but are no ids, have positions or have a mask
                of another shape.
        """
        inputs = _check_inputs(input_ids, inputs_embeds)
        rows = None
        if inputs.shape[1] > self.config.max_position_embeddings:
            if input_ids is None or position_ids is not None:
                raise ValueError(
                    f"sequences of more than {self.config.max_position_embeddings} tokens are cut "
                    f"into pieces, which needs input_ids and no position_ids; got "
                    f"{inputs.shape[1]} tokens"
                )
            if attention_mask is not None and attention_mask.shape != inputs.shape:
                raise ValueError(
                    f"attention_mask must have the shape of input_ids, {tuple(inputs.shape)}, got "
                    f"{tuple(attention_mask.shape)}"
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
        filled = self.config.padded_segments or 0
        padded = pooled.new_zeros(len(n_pieces), max(most, filled), pooled.shape[1])
        if filled:
            padding: Any = self.padding_piece
            padded = padded + padding.to(pooled.dtype)
            n_pieces = n_pieces.clamp(min=filled)
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
        super(BertForTokenClassification, self).__init__(config)  # as in DNABertForMaskedLM
        self.num_labels = len(config.id2label or {})
        self.bert = DNABertModel(config, add_pooling_layer=False)
        dropout = config.classifier_dropout
        self.dropout = nn.Dropout(config.hidden_dropout_prob if dropout is None else dropout)
        self.classifier = nn.Linear(config.hidden_size, self.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(  # type: ignore[misc]  # position_ids are in TransformersKwargs too
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
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


def _check_inputs(input_ids: Any, inputs_embeds: Any) -> torch.Tensor:
    """Refuse what is no batch of token ids or embeddings, and return the one that is given."""
    if (input_ids is None) == (inputs_embeds is None):
        found = "neither" if input_ids is None else "both"
        raise ValueError(f"a model must be given input_ids or inputs_embeds, got {found}")
    name, value, shape = (
        ("input_ids", input_ids, "(batch, tokens)")
        if inputs_embeds is None
        else ("inputs_embeds", inputs_embeds, "(batch, tokens, hidden)")
    )
    if not isinstance(value, torch.Tensor):
        raise ValueError(
            f"{name} must be a tensor of shape {shape}, got {type(value).__name__}: what the "
            'tokenizer gives with return_tensors="pt" is passed as model(**encoded)'
        )
    if value.dim() != shape.count(",") + 1:
        raise ValueError(f"{name} must have the shape {shape}, got {tuple(value.shape)}")
    return value


def _cut_outputs(outputs: Any, n_tokens: int) -> None:
    """Take the padding that the encoder added for itself out of what it gives."""
    if outputs.last_hidden_state.shape[1] == n_tokens:
        return
    outputs["last_hidden_state"] = outputs.last_hidden_state[:, :n_tokens]
    if outputs.hidden_states is not None:
        outputs["hidden_states"] = tuple(each[:, :n_tokens] for each in outputs.hidden_states)
    if outputs.attentions is not None:
        outputs["attentions"] = tuple(
            each[..., :n_tokens, :n_tokens] for each in outputs.attentions
        )


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


class _SelfAttention(BertSelfAttention):
    """BERT's self-attention, run eagerly in a call that asks for the attentions.

    No other kernel returns them. What was asked for comes down with the call and is written nowhere
    else, so that other threads and the recomputation of checkpointing keep to their kernel.
    """

    def forward(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attend; shapes as in `transformers.BertModel`."""
        if not kwargs.get("output_attentions"):
            return super().forward(hidden_states, attention_mask, **kwargs)
        shape = (*hidden_states.shape[:-1], -1, self.attention_head_size)
        query, key, value = (
            project(hidden_states).view(shape).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        output, weights = eager_attention_forward(
            self,
            query,
            key,
            value,
            attention_mask,
            scaling=self.scaling,
            dropout=self.dropout.p if self.training else 0.0,
        )
        return output.flatten(2), weights


def _additive_mask(
    attention_mask: torch.Tensor | None, inputs: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """Make the mask that eager attention adds to its scores, (batch, 1, 1 or tokens, tokens)."""
    if attention_mask is None:
        return torch.zeros(1, 1, 1, inputs.shape[1], dtype=dtype, device=inputs.device)
    if attention_mask.dim() == 4:
        if attention_mask.is_floating_point():
            return attention_mask
        is_token = attention_mask.bool()
    else:
        is_token = attention_mask[:, None, None, :].bool()
    return torch.zeros_like(is_token, dtype=dtype).masked_fill(~is_token, torch.finfo(dtype).min)
