"""Models as a graph takes them: tensors in and out, open sizes, pieces and strands inside."""

import itertools
from typing import Any, NamedTuple

import torch
from torch import nn

from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.modeling.tokenization_dnabert import (
    BASES,
    CLS_ID,
    N_SPECIAL,
    PAD_ID,
    SEP_ID,
    SPECIAL_TOKENS,
)

__all__ = ["build_graph"]


class _Rows(NamedTuple):
    """A batch of rows of [CLS] k-mers [SEP], padded on either side.

    Attributes:
        ids: Token ids, shape (rows, tokens).
        types: Token types, same shape.
        n_tokens: Tokens of each row, shape (rows,).
        column: Place of each token behind its [CLS], same shape as `ids`; negative before it.
    """

    ids: torch.Tensor
    types: torch.Tensor
    n_tokens: torch.Tensor
    column: torch.Tensor


class _Pieces(NamedTuple):
    """Pieces that the encoder takes, those of a row in order, and no padding but the shorter's.

    Attributes:
        ids: Token ids, shape (pieces, tokens).
        is_token: Whether there is a token, same shape.
        types: Token types, same shape.
        row: Row that each piece comes from, shape (pieces,).
    """

    ids: torch.Tensor
    is_token: torch.Tensor
    types: torch.Tensor
    row: torch.Tensor


class _Graph(nn.Module):
    """Network whose every size is open: no branch of it looks at the data.

    Args:
        model: DNABERT model.
    """

    def __init__(self, model: Any):
        super().__init__()
        self.model = model
        self.encoder = getattr(model, "bert", model)
        self.room = int(model.config.max_position_embeddings) - 2

    def rows(self, ids: torch.Tensor, attention_mask: torch.Tensor, types: torch.Tensor) -> _Rows:
        column = torch.arange(ids.shape[1], device=ids.device)
        first = torch.where(attention_mask == 1, column, ids.shape[1]).amin(dim=1)
        return _Rows(ids, types, attention_mask.sum(dim=1), column - first[:, None])

    def cut(self, rows: _Rows) -> _Pieces:
        """Cut rows as `DNABertForSequenceClassification` does, by one step for all of them."""
        n_content = rows.n_tokens - 2
        is_begin = (rows.column >= 0) & (rows.column % self.room == 0)
        is_begin = is_begin & (rows.column < n_content.clamp(min=1)[:, None])
        found = is_begin.nonzero()
        torch._check(found.shape[0] >= 1)
        row, first = found[:, 0], found[:, 1]
        length = (n_content[row] - rows.column[row, first]).clamp(min=0, max=self.room)
        attended = self.model.config.attended_padding or 0
        width: Any = (length.max() + 2).clamp(min=attended).item()
        torch._check(width >= 2)
        torch._check(width <= self.room + 2)
        within = torch.arange(width, device=row.device)
        end = (length + 1)[:, None]
        # [CLS] and [SEP] of the row begin and end each piece.
        of_cls = -rows.column[row, :1]
        of_sep = of_cls + rows.n_tokens[row, None] - 1
        source = torch.where(within == 0, of_cls, first[:, None] + within)
        source = torch.where(within < end, source, of_sep)
        is_token = within <= end
        ids = torch.where(is_token, rows.ids[row[:, None], source], PAD_ID)
        types = rows.types[row[:, None], source] * is_token
        return _Pieces(ids, is_token, types, row)

    def encode(self, pieces: _Pieces) -> torch.Tensor:
        """Give the last hidden states, shape (pieces, tokens, hidden)."""
        mask = pieces.is_token.long()
        if self.model.config.attended_padding:
            mask = self.encoder.attention_bias(mask, torch.float32)
        states: torch.Tensor = self.encoder(
            pieces.ids, attention_mask=mask, token_type_ids=pieces.types, return_dict=True
        ).last_hidden_state
        return states

    def states(self, rows: _Rows) -> torch.Tensor:
        """Give the last hidden states in the places of the tokens, shape (rows, tokens, hidden)."""
        pieces = self.cut(rows)
        states = self.encode(pieces)
        n_content = (rows.n_tokens - 2).clamp(min=1)
        n_pieces = (n_content + self.room - 1) // self.room
        before = torch.cumsum(n_pieces, dim=0) - n_pieces
        content = (rows.column - 1).clamp(min=0)
        content = torch.minimum(content, n_content[:, None])
        piece = torch.minimum(content // self.room, n_pieces[:, None] - 1)
        place = torch.where(rows.column <= 0, 0, content - piece * self.room + 1)
        is_token = (rows.column >= 0) & (rows.column < rows.n_tokens[:, None])
        return states[before[:, None] + piece, place] * is_token[:, :, None]


class _Classifier(_Graph):
    """Classifier of sequences; of both strands where the model is used so."""

    def __init__(self, model: Any):
        super().__init__(model)
        self.problem_type = LabelScheme.from_config(model.config).problem_type
        self.both_strands = bool(model.config.both_strands)
        if self.both_strands:
            self.register_buffer("complements", _complements(model.config.k), persistent=False)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        rows = self.rows(input_ids, attention_mask, token_type_ids)
        if not self.both_strands:
            return {"logits": self.logits(rows)}
        n_rows = input_ids.shape[0]
        both = _Rows(*(torch.cat(pair) for pair in zip(rows, self.other_strand(rows), strict=True)))
        logits = self.logits(both)
        return {"logits": self.average(torch.stack([logits[:n_rows], logits[n_rows:]]))}

    def logits(self, rows: _Rows) -> torch.Tensor:
        pieces = self.cut(rows)
        states = self.encode(pieces)
        pooled = states[:, :1]
        if self.model.config.token_pooling == "mean":
            is_kmer = pieces.is_token & (pieces.ids != CLS_ID) & (pieces.ids != SEP_ID)
            weights = is_kmer / is_kmer.sum(dim=1, keepdim=True).clamp(min=1)
            pooled = (states * weights[:, :, None]).sum(dim=1, keepdim=True)
        pooled = self.encoder.pooler(pooled)
        row = torch.arange(rows.ids.shape[0], device=pooled.device)
        is_of_row = (row[:, None] == pieces.row).to(pooled.dtype)
        mean = (is_of_row / is_of_row.sum(dim=1, keepdim=True)) @ pooled
        logits: torch.Tensor = self.model.classifier(mean)
        return logits

    def other_strand(self, rows: _Rows) -> _Rows:
        """Give the reverse complement of each row, of a pair that of either sequence."""
        column, last = rows.column, (rows.n_tokens - 1)[:, None]
        is_end = (rows.ids == SEP_ID) & (column > 0)
        middle = torch.where(is_end, column, last).amin(dim=1, keepdim=True)
        source = torch.where(column < middle, middle - column, middle + last - column)
        is_kmer = (column > 0) & (column < last) & (column != middle)
        shift = torch.where(is_kmer, source - column, 0)
        ids = rows.ids.gather(1, torch.arange(column.shape[1], device=column.device) + shift)
        complements: Any = self.complements
        return rows._replace(ids=torch.where(is_kmer, complements[ids], rows.ids))

    def average(self, logits: torch.Tensor) -> torch.Tensor:
        """Give logits of the mean of the probabilities, or of the values, (2, rows, labels)."""
        if self.problem_type == "regression":
            return logits.mean(dim=0)
        if self.problem_type == "multi_label_classification":
            of_yes, of_no = (nn.functional.logsigmoid(each) for each in (logits, -logits))
            return torch.logsumexp(of_yes, dim=0) - torch.logsumexp(of_no, dim=0)
        return torch.logsumexp(logits.log_softmax(dim=-1), dim=0)


class _TokenGraph(_Graph):
    """Head over every token: classes of k-mers, or the vocabulary of a masked language model."""

    def __init__(self, model: Any):
        super().__init__(model)
        self.head = getattr(model, "cls", None) or model.classifier

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        rows = self.rows(input_ids, attention_mask, token_type_ids)
        return {"logits": self.head(self.states(rows))}


class _Encoder(_Graph):
    """Hidden states, and their mean over the k-mers of each row."""

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        rows = self.rows(input_ids, attention_mask, token_type_ids)
        states = self.states(rows)
        is_kmer = (rows.column > 0) & (rows.column < rows.n_tokens[:, None] - 1)
        n_kmers = is_kmer.sum(dim=1, keepdim=True).clamp(min=1)
        mean = (states * is_kmer[:, :, None]).sum(dim=1) / n_kmers
        return {"last_hidden_state": states, "sentence_embedding": mean}


def _complements(k: int) -> torch.Tensor:
    """Give the id of each token's reverse complement, special tokens being their own."""
    kmers = ["".join(kmer) for kmer in itertools.product(BASES, repeat=k)]
    ids = {kmer: i for i, kmer in enumerate(kmers, start=N_SPECIAL)}
    of_kmers = [ids[reverse_complement(kmer)] for kmer in kmers]
    return torch.tensor([*range(len(SPECIAL_TOKENS)), *of_kmers])


_GRAPHS: dict[str, type[_Graph]] = {
    "encoder": _Encoder,
    "masked-lm": _TokenGraph,
    "sequence-classification": _Classifier,
    "token-classification": _TokenGraph,
}


def build_graph(model: Any, task: str) -> Any:
    """Put a model into the form that `torch.export` and its like take.

    The module takes `input_ids`, `attention_mask` and `token_type_ids`, shape (batch, tokens) of
    any sizes, and gives a dictionary: `logits`, or of an encoder `last_hidden_state` and its mean
    over the k-mers, `sentence_embedding`. Rows beyond what the encoder takes are cut into pieces,
    each encoded alone. A classifier that is used on both strands averages over them.

    Args:
        model: DNABERT model, which is not changed.
        task: What it is for, as in `load_checkpoint`.
    """
    return _GRAPHS[task](model).eval()
