"""Pipelines for what the standard ones cannot say about DNA."""

from typing import Any

import numpy as np
from transformers import Pipeline

from dnabert_hf.data.masking.masked_bases import vote_for_bases

__all__ = ["FillBasePipeline"]

_BASES = "ACGT"
_VOCABULARY_BASES = "ATCG"  # in the order of the k-mers
_N_SPECIAL = 5  # [PAD] [UNK] [CLS] [SEP] [MASK] have the ids 0 to 4


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

    def _sanitize_parameters(self, **_: Any) -> tuple[dict[str, Any], ...]:
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
