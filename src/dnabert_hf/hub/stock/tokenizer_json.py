"""A tokenizer.json that turns raw DNA into overlapping k-mers without any code of ours."""

import itertools

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from dnabert_hf.modeling.tokenization_dnabert import BASES, CLS_ID, SEP_ID, SPECIAL_TOKENS

__all__ = ["build_stock_tokenizer"]

_MASKED, _OTHER = "?", "n"  # one letter for [MASK], one for all that is no base
_LETTERS = "acgtn"
_UNKNOWN_MARK, _MASKED_MARK, _WORD_MARK = ".", "!", "@"


def build_stock_tokenizer(k: int) -> Tokenizer:
    """Build a tokenizer of the `tokenizers` library with the ids of `DNABertTokenizer`.

    Takes what that one takes: DNA or RNA in any case, white space, k-mer text, [MASK] for a
    masked base. Where that one raises an error, this one cannot: a sequence shorter than k gives
    the special tokens alone; letters that are no nucleotides make their k-mers [UNK]; k-mer text
    of another k is read as DNA with spaces, and that of k as it stands even if neighbours do not
    overlap. The offsets of a k-mer are those of its first base.

    The normalizer turns "ACGTA" (k = 3) into "ACG CGT GTA". A step can only replace what a
    pattern finds by a fixed text, and sees no change that it makes itself. So behind each base,
    in lower case, one step for each of the four letters writes its next base in upper case if it
    is this letter, "aCcGgTtAa"; then its next but one, read off the end of what stands behind the
    next base, "aCGcGTgTAtAa"; and so on. Too short ones go, a space comes before each.

    Args:
        k: Bases per k-mer.

    Example:
        >>> build_stock_tokenizer(3).encode("ATGGCT").tokens
        ['[CLS]', 'ATG', 'TGG', 'GGC', 'GCT', '[SEP]']
    """
    kmers = map("".join, itertools.product(BASES, repeat=k))
    vocabulary = {token: i for i, token in enumerate((*SPECIAL_TOKENS, *kmers))}
    # Not WordLevel, which transformers.js does not have: no k-mer begins with a shorter token.
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    steps = [*_plain_letters(), *_keep_kmer_text(k), *_mark_kmers(k), *_write_kmers(k)]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", SEP_ID), ("[CLS]", CLS_ID))
    # [MASK] has to reach the normalizer, which hides all k-mers over the base.
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=token == "[MASK]") for token in SPECIAL_TOKENS]
    )
    return tokenizer


def _replace(pattern: str, text: str) -> normalizers.Normalizer:
    return normalizers.Replace(Regex(pattern), text)


def _plain_letters() -> list[normalizers.Normalizer]:
    """Leave a, c, g, t, n for all others, ? for [MASK], and white space."""
    return [
        _replace(r"[?!.]", _OTHER),
        _replace(r"\A\s*\[MASK\]\s*\z", _MASKED_MARK),  # alone, it is the token
        normalizers.Replace("[MASK]", _MASKED),
        normalizers.Lowercase(),
        normalizers.Replace("u", "t"),
        _replace(r"[^acgt?!\s]", _OTHER),
    ]


def _keep_kmer_text(k: int) -> list[normalizers.Normalizer]:
    """Write text that is nothing but k-mers in upper case, which no later step changes.

    Without Oniguruma's anchor of the last match, which JavaScript does not have: the text gets a
    mark at its beginning, which each of its words looks back for and then gets too; few words do
    so first, and the others have not as far to look.
    """
    word = rf"(?:[{_LETTERS}]{{{k}}}|[?!])"
    has_kmer = rf"(?=[\s?!]*[{_LETTERS}])"
    is_word = rf"(?<=[\s{_WORD_MARK}])(?={word}(?:\s|\z))(?<={_WORD_MARK}[^{_WORD_MARK}]*)"
    in_word = rf"(?<={_WORD_MARK}[^\s{_WORD_MARK}]{{0,{k - 1}}})"
    return [
        _replace(rf"\A(?=\s*(?:{word}\s+)+{word}\s*\z){has_kmer}", _WORD_MARK),
        _replace(rf"(?=gat){is_word}", _WORD_MARK),
        _replace(is_word, _WORD_MARK),
        *(
            _replace(rf"{in_word}[{old}]", new)
            for old, new in zip(_LETTERS + _MASKED, _LETTERS.upper() + _MASKED_MARK, strict=True)
        ),
        normalizers.Replace(_WORD_MARK, ""),
    ]


def _mark_kmers(k: int) -> list[normalizers.Normalizer]:
    """Join what white space parts, and mark k-mers over masked and over unknown bases."""
    rest, base = k - 1, r"\.?[acgtn]"
    return [
        _replace(r"(?<=[acgtn?])\s+(?=[acgtn?])", ""),
        _replace(rf"(?=n[acgtn]{{{rest}}})|(?=[acgt]{{1,{rest}}}n)(?=[acgtn]{{{k}}})", "."),
        _replace(rf"(?=(?:{base}){{0,{rest}}}\?)(?=(?:\.?[acgtn?]){{{k}}})", "!"),
    ]


def _write_kmers(k: int) -> list[normalizers.Normalizer]:
    steps = []
    for n_written in range(k - 1):
        behind = rf"(?<=[acgt][ACGT]{{{n_written}}})"
        for letter in "acgt":
            written = rf"[acgt][ACGT]{{{n_written - 1}}}{letter.upper()}" if n_written else letter
            steps.append(_replace(rf"{behind}(?=[.!]?{written})", letter.upper()))
    steps += [
        _replace(r"![acgtn?]?[ACGT]*", "[MASK]"),
        _replace(r"\.[acgtn][ACGT]*", " [UNK] "),
        _replace(rf"[acgtn?](?![ACGT]{{{k - 1}}})[ACGT]*", ""),
        _replace(r"(?=[acgt])", " "),
    ]
    return steps + [normalizers.Replace(letter, letter.upper()) for letter in "acgt"]
