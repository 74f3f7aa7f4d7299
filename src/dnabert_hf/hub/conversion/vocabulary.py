"""Vocabularies in another order, and the rows of the weights that follow them."""

import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from dnabert_hf.modeling.configuration_dnabert import SUPPORTED_K
from dnabert_hf.modeling.tokenization_dnabert import BASES, SPECIAL_TOKENS

__all__ = ["VOCABULARY_ROWS", "find_rows", "read_vocabulary", "reorder"]

# Names that multimolecule gives the special tokens; its <null> has no counterpart.
_FOREIGN_TOKENS = {
    "<pad>": "[PAD]",
    "<unk>": "[UNK]",
    "<cls>": "[CLS]",
    "<eos>": "[SEP]",
    "<mask>": "[MASK]",
}
_WITHOUT_COUNTERPART = {"<null>"}

# Weights with one row a token, by BERT's names.
VOCABULARY_ROWS = (
    "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.weight",
    "cls.predictions.decoder.bias",
    "cls.predictions.bias",
)


def read_vocabulary(folder: Path) -> list[str] | None:
    """Read the tokens of vocab.txt in order, whatever its line ends; None if there is none."""
    path = folder / "vocab.txt"
    if not path.is_file():
        return None
    return path.read_text(encoding="utf-8-sig").split()


def find_rows(tokens: Sequence[str], name: str | Path) -> np.ndarray:
    """Find, for each token of DNABERT's vocabulary in order, its row in another one.

    Args:
        tokens: The other vocabulary in order.
        name: Where it comes from, for the error.

    Returns:
        Rows, int64, shape (5 + 4**k,); 0, 1, 2, ... if the order is the same.

    Raises:
        ValueError: If it does not hold exactly the special tokens and all k-mers of one k.

    Example:
        >>> theirs = ["<pad>", "<cls>", "<eos>", "<unk>", "<mask>", "<null>"]
        >>> theirs += map("".join, itertools.product("ACGT", repeat=3))
        >>> find_rows(theirs, "multimolecule")[:9].tolist()  # AAT is their fourth k-mer
        [0, 3, 1, 2, 4, 6, 9, 7, 8]
    """
    own_names = [_FOREIGN_TOKENS.get(token, token) for token in tokens]
    lengths = Counter(len(token) for token in own_names if token.isalpha())
    k = max(lengths, key=lengths.__getitem__, default=0)
    if k not in SUPPORTED_K:
        raise ValueError(
            f"{name}: vocab.txt must hold k-mers of 2 to 8 bases, found {k or 'no'} letters; use a "
            "DNABERT checkpoint"
        )
    expected = [*SPECIAL_TOKENS, *map("".join, itertools.product(BASES, repeat=k))]
    missing = sorted(set(expected) - set(own_names))
    extra = sorted(set(own_names) - set(expected) - _WITHOUT_COUNTERPART)
    double = [token for token, count in Counter(own_names).items() if count > 1]
    for what, found in (("lacks", missing), ("also has", extra), ("repeats", double)):
        if found:
            raise ValueError(
                f"{name}: vocab.txt must hold the {len(expected)} tokens of k = {k} in some order, "
                f"but it {what} {len(found)}, {', '.join(found[:3])} among them; use the vocab.txt "
                "that the model was trained with"
            )
    row_of = {token: row for row, token in enumerate(own_names)}
    return np.array([row_of[token] for token in expected])


def reorder(
    weights: dict[str, torch.Tensor], rows: np.ndarray, n_tokens: int, name: str | Path
) -> dict[str, torch.Tensor]:
    """Bring the rows of embeddings and decoder into the order of DNABERT's vocabulary.

    Args:
        weights: Tensors by BERT's names.
        rows: Row of each token, as `find_rows` gives them.
        n_tokens: Tokens of the vocabulary that the weights came with.
        name: Where they come from, for the error.

    Returns:
        The same tensors, those with a row per token reordered.

    Raises:
        ValueError: If a tensor does not have one row per token of the vocabulary.
    """
    reordered = dict(weights)
    index = torch.from_numpy(rows)
    for key in VOCABULARY_ROWS:
        if key not in weights:
            continue
        if len(weights[key]) != n_tokens:
            raise ValueError(
                f"{name}: {key} must have a row for each of the {n_tokens} tokens of vocab.txt, "
                f"found {len(weights[key])}; use the vocab.txt that the model was trained with"
            )
        reordered[key] = weights[key][index]
    return reordered
