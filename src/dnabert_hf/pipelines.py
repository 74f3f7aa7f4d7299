"""Pipelines for what the standard ones cannot say about DNA."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np
import torch
from transformers import Pipeline, TextClassificationPipeline, TokenClassificationPipeline
from transformers.pipelines.token_classification import AggregationStrategy

from dnabert_hf.data.masking.base_windows import BaseWindow, cut_for_bases
from dnabert_hf.data.masking.masked_bases import vote_for_bases
from dnabert_hf.data.reading.sequences import clean_sequence, is_kmer_text, join_kmers
from dnabert_hf.inference.embed import spread_over_bases

__all__ = ["DNATokenClassificationPipeline", "FillBasePipeline", "TwoStrandClassificationPipeline"]

_BASES = "ACGT"
_VOCABULARY_BASES = "ATCG"  # in the order of the k-mers
_N_SPECIAL = 5  # [PAD] [UNK] [CLS] [SEP] [MASK] have the ids 0 to 4
_BORDERS = [0, 2, 3]  # [PAD] [CLS] [SEP]


class FillBasePipeline(Pipeline):
    """Tells the probabilities of A, C, G and T of each base that `[MASK]` hides.

    The standard "fill-mask" answers in k-mers, one list for each of the k k-mers over a masked
    base. Here each of these k-mers votes for the base: the probabilities of the k-mers that agree
    with the visible bases are summed by the masked base and made to sum to 1; the votes' mean is
    the answer.

    Example:
        pipe = pipeline(
            "fill-mask", model="someone/dnabert-6", pipeline_class=dnabert_hf.FillBasePipeline
        )
        pipe("ACGTAC[MASK]GTACGT")
        # [{"position": 6, "base": "G", "score": 0.9, "A": .., "C": .., "G": 0.9, "T": ..}]

    A position counts bases from 0, a masked one as one base. A text gives a list with an entry for
    each masked base, a list of texts a list of such lists.
    """

    tokenizer: Any
    _load_processor = False  # type: ignore[assignment]
    _load_image_processor = False  # type: ignore[assignment]
    _load_feature_extractor = False  # type: ignore[assignment]
    _load_tokenizer = True  # type: ignore[assignment]

    def _sanitize_parameters(self, **unknown: Any) -> tuple[dict[str, Any], ...]:
        if unknown:
            raise ValueError(
                f"FillBasePipeline has no options, got {', '.join(sorted(unknown))}: it answers "
                "with the probabilities of all four bases"
            )
        return {}, {}, {}

    def preprocess(self, input_: str, **_: Any) -> Any:
        """Encode a text, which must mask a base."""
        encoded = self.tokenizer(input_, return_tensors="pt")
        if not (encoded["input_ids"] == self.tokenizer.mask_token_id).any():
            raise ValueError(
                f"the text must mask a base with {self.tokenizer.mask_token}, found none in "
                f"{input_!r:.60}"
            )
        return encoded

    def _forward(self, input_tensors: Any, **_: Any) -> Any:
        output = self.model(**input_tensors)
        return {"input_ids": input_tensors["input_ids"], "logits": output.logits}

    def postprocess(self, model_outputs: Any, **_: Any) -> list[dict[str, Any]]:
        """Turn the scores of the masked k-mers into probabilities of bases."""
        k = self.tokenizer.k
        ids = model_outputs["input_ids"][0, 1:-1].numpy()
        logits = model_outputs["logits"][0, 1:-1].float()
        masked = np.flatnonzero(ids == self.tokenizer.mask_token_id)
        probabilities = logits[masked].softmax(-1).numpy()[:, _N_SPECIAL : _N_SPECIAL + 4**k]
        kmers = np.where(ids < _N_SPECIAL, -1, ids - _N_SPECIAL)
        entries = []
        for position, votes in vote_for_bases(kmers, masked, probabilities, k=k).items():
            scores = dict(zip(_VOCABULARY_BASES, votes.mean(axis=0).tolist(), strict=True))
            best = max(_BASES, key=scores.__getitem__)
            entry = {"position": position, "base": best, "score": scores[best]}
            entries.append(entry | {base: scores[base] for base in _BASES})
        return entries


class TwoStrandClassificationPipeline(TextClassificationPipeline):
    """Classifies DNA by the mean over a sequence and its reverse complement, as `predict` does.

    `pipeline("text-classification", model=...)` is this one if the model's config has
    `both_strands`. It takes and gives what the standard one does, and so do the options: scores are
    means, over the strands, of what `function_to_apply` makes of the logits. With
    `pipeline_class=transformers.TextClassificationPipeline` the strand that is given is read alone.

    Example:
        pipe = pipeline("text-classification", model="someone/ctcf-sites")
        pipe("TGACCACCAGGGGGCGCTA")  # [{"label": "bound", "score": 0.97}]
    """

    model: Any

    def _forward(self, model_inputs: Any) -> dict[str, Any]:  # type: ignore[override]
        opposite = opposite_strand(model_inputs["input_ids"], k=self.model.config.k)
        other = super()._forward({**model_inputs, "input_ids": opposite})
        given = super()._forward(model_inputs)
        return {"logits": given.logits, "other_logits": other.logits}

    def postprocess(  # type: ignore[override]
        self,
        model_outputs: Any,
        function_to_apply: Any = None,
        top_k: int | None = 1,
        _legacy: bool = True,
    ) -> Any:
        """Average the scores of the strands; the arguments are those of the standard pipeline."""
        given, other = (
            super(TwoStrandClassificationPipeline, self).postprocess(
                {"logits": model_outputs[name]}, function_to_apply, top_k=None
            )
            for name in ("logits", "other_logits")
        )
        classes = [
            {"label": one["label"], "score": (one["score"] + two["score"]) / 2}
            for one, two in zip(given, other, strict=True)
        ]
        best_first = sorted(classes, key=lambda each: each["score"], reverse=True)
        if _legacy:
            return best_first[0] if top_k == 1 else classes
        return best_first[:top_k]


def opposite_strand(input_ids: torch.Tensor, *, k: int) -> torch.Tensor:
    """Turn the k-mers of each sequence into those of its opposite strand, 5' end first.

    Args:
        input_ids: Token ids of `DNABertTokenizer`, shape (rows, tokens). What stands between
            [CLS], [SEP] and [PAD] is a sequence; these stay where they are.
        k: Bases per k-mer.

    Returns:
        Token ids of the same shape.

    Example:
        >>> opposite_strand(torch.tensor([[2, 5 + 1, 5 + 6, 1, 3, 0]]), k=2)  # AT TC [UNK]
        tensor([[ 2,  1, 17,  6,  3,  0]])
    """
    # The digits of A, T, C, G are 0 to 3: a base and its complement differ in the last bit.
    kmers = torch.arange(4**k)
    digits = [kmers >> 2 * place & 3 for place in range(k)]  # the last base first
    complements = sum((digit ^ 1) << 2 * (k - 1 - place) for place, digit in enumerate(digits))
    table = torch.cat([torch.arange(_N_SPECIAL), _N_SPECIAL + torch.as_tensor(complements)])
    is_border = torch.isin(input_ids, torch.tensor(_BORDERS).to(input_ids))
    is_kmer = (input_ids < len(table)) & ~is_border
    result = input_ids.clone()
    for row, of_row in zip(result, is_kmer.tolist(), strict=True):
        start = 0
        for inside, run in groupby(of_row):
            end = start + len(list(run))
            if inside:
                row[start:end] = table.to(row.device)[row[start:end].flip(0)]
            start = end
    return result


class DNATokenClassificationPipeline(TokenClassificationPipeline):
    """Classifies each base of sequences of any length with a model that classifies k-mers.

    `pipeline("token-classification", model=...)` is this one if the model is a DNABERT. A base is
    what a word is to the standard pipeline, and the up to k k-mers over it are the parts of the
    word: their strategies say how these vote. Sequences beyond the model's limit are read whole, in
    windows that share a quarter of their bases, each base taken from the window in which it lies
    farther from the border (as by `predict_bases`, whose probabilities are those of "average").

    Args:
        aggregation_strategy: "none" gives an entry for each base, the others one for each run of
            bases of one class. The class of a base is: "none", "simple" and "average", the highest
            of the mean probabilities of the k-mers over it; "first", that of the first k-mer over
            it; "max", that of the k-mer over it that is surest.
        ignore_labels: Classes that are left out, ["O"] if not given.
        is_split_into_words: Whether inputs are lists of words: overlapping k-mers, or consecutive
            pieces of DNA.
        stride: Taken for the standard pipeline's sake, and not used: nothing is cut off.
        **kwargs: As in `transformers.TokenClassificationPipeline`.

    Example:
        pipe = pipeline("token-classification", "someone/exons", aggregation_strategy="simple")
        pipe("ACGT...")
        # [{"entity_group": "exon", "score": 0.98, "word": "ACGGT..", "start": 60, "end": 100}, ..]

    `start` and `end` count the bases of the sequence from 0, half-open, without white space. N and
    the other ambiguous letters belong to no class and end a run. Names such as B-exon and I-exon
    are joined as the standard pipeline joins them.
    """

    tokenizer: Any
    model: Any

    def _sanitize_parameters(  # type: ignore[override]  # what offsets mean is settled here
        self,
        ignore_labels: list[str] | None = None,
        aggregation_strategy: Any = None,
        is_split_into_words: bool = False,
        stride: int | None = None,  # noqa: ARG002 - see the docstring
        delimiter: str | None = None,  # noqa: ARG002 - given by the standard __call__
    ) -> tuple[dict[str, Any], ...]:
        options: dict[str, Any] = {}
        if ignore_labels is not None:
            options["ignore_labels"] = ignore_labels
        if aggregation_strategy is not None:
            name = str(getattr(aggregation_strategy, "value", aggregation_strategy)).lower()
            names = [strategy.value for strategy in AggregationStrategy]
            if name not in names:
                raise ValueError(
                    f"aggregation_strategy must be one of {', '.join(names)}, got "
                    f"{aggregation_strategy!r}"
                )
            options["aggregation_strategy"] = AggregationStrategy(name)
        return {"is_split_into_words": is_split_into_words}, {}, options

    def preprocess(  # type: ignore[override]
        self, sentence: Any, is_split_into_words: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Encode the windows of a sequence, one after the other."""
        k = self.tokenizer.k
        sequence = _as_dna(sentence, k, is_split_into_words)
        if len(sequence) < k:
            raise ValueError(f"a sequence must have at least k = {k} bases, got {sequence!r}")
        windows = cut_for_bases(len(sequence), k=k, n_kmers=self._room())
        for window in windows:
            encoded = self.tokenizer(sequence[window.start : window.end], return_tensors="pt")
            yield {
                **encoded,
                "sentence": sequence if window is windows[0] else None,
                "is_last": window is windows[-1],
            }

    def _room(self) -> int:
        return int(self.model.config.max_position_embeddings) - 2

    def _forward(self, model_inputs: Any) -> dict[str, Any]:  # type: ignore[override]
        sentence, is_last = model_inputs.pop("sentence"), model_inputs.pop("is_last")
        logits = self.model(**model_inputs).logits
        mask = model_inputs["attention_mask"]
        return {"logits": logits, "attention_mask": mask, "sentence": sentence, "is_last": is_last}

    def postprocess(  # type: ignore[override]
        self,
        all_outputs: Any,
        aggregation_strategy: AggregationStrategy = AggregationStrategy.NONE,
        ignore_labels: list[str] | None = None,
    ) -> list[dict[str, Any]]:
        """Turn the scores of the k-mers of all windows into entities."""
        sequence, k = all_outputs[0]["sentence"], self.tokenizer.k
        windows = cut_for_bases(len(sequence), k=k, n_kmers=self._room())
        scores = np.concatenate(
            [
                _scores_of_bases(output, window, k, aggregation_strategy)
                for output, window in zip(all_outputs, windows, strict=True)
            ]
        )
        names = [self.model.config.id2label[i] for i in range(scores.shape[1])]
        ignored = ["O"] if ignore_labels is None else ignore_labels
        if aggregation_strategy == AggregationStrategy.NONE:
            entities, name = _entities_of_bases(sequence, scores, names), "entity"
        else:
            entities, name = self._entities_of_runs(sequence, scores, names), "entity_group"
        return [entity for entity in entities if entity[name] not in ignored]

    def _entities_of_runs(
        self, sequence: str, scores: np.ndarray, names: list[str]
    ) -> list[dict[str, Any]]:
        """Join neighbouring bases of one class; "B-" begins an entity."""
        prefixes, tags = zip(*map(self.get_tag, names), strict=True)
        numbers = np.array([tags.index(tag) for tag in tags])
        classes = scores.argmax(axis=1)
        tag_of_base = np.where(_is_known(sequence), numbers[classes], -1)
        begins = np.array([prefix == "B" for prefix in prefixes])[classes]
        begins[1:] |= tag_of_base[1:] != tag_of_base[:-1]
        begins[0] = True
        starts = np.flatnonzero(begins)
        ends = np.append(starts[1:], len(sequence))
        means = np.add.reduceat(scores.max(axis=1).astype(np.float64), starts) / (ends - starts)
        return [
            {
                "entity_group": tags[tag_of_base[start]],
                "score": mean,
                "word": sequence[start:end],
                "start": start,
                "end": end,
            }
            for start, end, mean in zip(starts.tolist(), ends.tolist(), means.tolist(), strict=True)
            if tag_of_base[start] >= 0
        ]


def _as_dna(sentence: Any, k: int, is_split_into_words: bool) -> str:
    """Give the DNA of a text or of words, without white space and in upper case."""
    if is_split_into_words and isinstance(sentence, list | tuple):
        joined = " ".join(map(str, sentence))
        is_kmers = is_kmer_text(joined) and {len(word) for word in sentence} == {k}
        sentence = joined if is_kmers else "".join(map(str, sentence))
    elif not isinstance(sentence, str):
        raise ValueError(
            f"each input must be a text of DNA, got {sentence!r:.60}; words need "
            "is_split_into_words=True"
        )
    if is_kmer_text(sentence) and len(sentence.split()[0]) == k:
        sentence = join_kmers(sentence, source="the input")
    return clean_sequence(sentence, source="the input")


def _scores_of_bases(
    output: dict[str, Any], window: BaseWindow, k: int, strategy: AggregationStrategy
) -> np.ndarray:
    """Let the k-mers of a window vote for the bases taken from it, shape (bases, classes)."""
    is_token = output["attention_mask"][0].bool()
    logits = output["logits"][0][is_token][1:-1].float()
    kmers = torch.softmax(logits, dim=-1).cpu().numpy()
    taken = slice(window.first - window.start, window.last - window.start)
    if strategy not in (AggregationStrategy.FIRST, AggregationStrategy.MAX):
        return spread_over_bases(kmers, k=k)[taken]
    # The k-mers over each base, first to last, shape (bases, k); some lie outside the window.
    over = np.arange(window.end - window.start)[taken, None] + np.arange(1 - k, 1)
    if strategy == AggregationStrategy.FIRST:
        return kmers[np.maximum(over[:, 0], 0)]
    is_there = (over >= 0) & (over < len(kmers))
    sureness = np.where(is_there, kmers.max(axis=1)[over.clip(0, len(kmers) - 1)], -1)
    return kmers[over[np.arange(len(over)), sureness.argmax(axis=1)]]


def _entities_of_bases(sequence: str, scores: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    classes, best = scores.argmax(axis=1).tolist(), scores.max(axis=1).tolist()
    return [
        {
            "entity": names[classes[i]],
            "score": best[i],
            "index": i,
            "word": sequence[i],
            "start": i,
            "end": i + 1,
        }
        for i in np.flatnonzero(_is_known(sequence)).tolist()
    ]


def _is_known(sequence: str) -> np.ndarray:
    letters = np.frombuffer(sequence.encode("ascii"), dtype=np.uint8)
    return np.isin(letters, np.frombuffer(_BASES.encode(), dtype=np.uint8))
