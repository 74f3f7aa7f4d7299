"""DNA strings: cleaned, reversed, joined from k-mers, counted; without any file or model."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

__all__ = [
    "begins_as_kmers",
    "clean_all",
    "clean_letters",
    "clean_sequence",
    "count_unknown",
    "is_kmer_text",
    "join_kmers",
    "reverse_complement",
]

_CODES = b"ACGTRYSWKMBDHVN"
_COMPLEMENTS = b"TGCAYRSWMKVHDBN"
_KNOWN = b"ACGTUacgtu"
_WHITE_SPACE = b" \t\n\r\v\f"
_KMER_LENGTHS = range(2, 9)
_LEAST_AGREEING = 4  # letters that neighbouring words share
_NOT_A_NUCLEOTIDE = b"?"
_BREAK = b"\0"


def _translation(letters: bytes, becomes: bytes, other: bytes) -> bytes:
    table = bytearray(other * 256)
    for letter, target in zip(letters, becomes, strict=True):
        table[letter] = target
    return bytes(table)


_LETTERS = _CODES + b"U" + _CODES.lower() + b"u"
_CLEANED = _translation(_LETTERS, (_CODES + b"T") * 2, _NOT_A_NUCLEOTIDE)
_COMPLEMENT = _translation(
    _LETTERS, _COMPLEMENTS + b"A" + _COMPLEMENTS.lower() + b"a", _NOT_A_NUCLEOTIDE
)
_CLEANED_OR_BREAK = _translation(_LETTERS + _BREAK, (_CODES + b"T") * 2 + _BREAK, _NOT_A_NUCLEOTIDE)
_IS_UNKNOWN = _translation(_KNOWN, bytes(len(_KNOWN)), b"\x01")


def reverse_complement(sequence: str) -> str:
    """Read the opposite strand from its 5' end.

    IUPAC codes are complemented too (R and Y, K and M, B and V, D and H change places), upper and
    lower case are kept, and U pairs with A as T does.

    Args:
        sequence: Nucleotide letters without white space.

    Returns:
        The opposite strand, of the same length.

    Raises:
        ValueError: If a letter is no nucleotide code, or it is no text.

    Example:
        >>> reverse_complement("AACgtR")
        'YacGTT'
    """
    letters = _encode(sequence, "the sequence")
    complement = letters.translate(_COMPLEMENT)
    _check_letters(complement, letters, "the sequence", 0)
    return complement[::-1].decode("ascii")


def clean_sequence(sequence: str, *, source: str) -> str:
    """Bring a sequence into the one form used everywhere: upper-case DNA without white space.

    White space, line breaks included, is dropped, unless it parts overlapping k-mers, which are
    joined: words of one length from 2 to 8, each one base further than the last, as long as four
    letters agree that need not (two codons such as ATG TGA are DNA).

    Args:
        sequence: DNA or RNA in any case, line breaks and blanks allowed, or k-mer text.
        source: Where the sequence stands, for the error, such as "genome.fa, record chr1".

    Returns:
        The sequence in upper case, with T for U.

    Raises:
        ValueError: If a letter is no IUPAC nucleotide code; positions count letters without white
            space, 0-based. Gaps ("-") and stops ("*") are no nucleotides. Or if most words overlap
            as k-mers do, and some do not.

    Example:
        >>> clean_sequence("acgu nn", source="the example")
        'ACGTNN'
        >>> clean_sequence("ATG TGG GGC", source="the example")
        'ATGGC'
        >>> clean_sequence("ATG TGA", source="the example")
        'ATGTGA'
    """
    return clean_letters(_encode(sequence, source), source=source)


def _encode(sequence: str, source: str) -> bytes:
    if not isinstance(sequence, str):
        raise ValueError(f"{source} must be text, got {type(sequence).__name__} {sequence!r:.40}")
    return sequence.encode("utf-8", "replace")


def clean_letters(letters: bytes, *, source: str, start: int = 0) -> str:
    """Do what `clean_sequence` does, for bytes as they come from a file.

    Args:
        letters: ASCII letters of any case, white space allowed.
        source: Where the sequence stands, for the error.
        start: Position of the first letter within its sequence (0-based), for the error; what goes
            on from an earlier piece is not taken for k-mers.

    Returns:
        The sequence in upper case, with T for U.

    Raises:
        ValueError: If a letter is no IUPAC nucleotide code.

    Example:
        >>> clean_letters(b"acg UN", source="the example")
        'ACGTN'
    """
    if not start:
        letters = _join_overlapping(letters, source)
    cleaned = letters.translate(_CLEANED, _WHITE_SPACE)
    _check_letters(cleaned, letters, source, start)
    return cleaned.decode("ascii")


def clean_all(sequences: Sequence[bytes], *, source_of: Callable[[int], str]) -> list[str]:
    """Clean many sequences at once: one call costs more than the letters of a short read.

    Args:
        sequences: ASCII letters of any case, white space allowed.
        source_of: Gives for an index into `sequences` where that one stands, for the error.

    Returns:
        The sequences in upper case, with T for U, in the same order.

    Raises:
        ValueError: If a letter is no IUPAC nucleotide code.

    Example:
        >>> clean_all([b"acg", b"UN"], source_of="record {}".format)
        ['ACG', 'TN']
    """
    # k-mers have no more than 8 letters, and checking that first is fast.
    if not all(letters[: _KMER_LENGTHS.stop].isalpha() for letters in sequences):
        pairs = enumerate(sequences)
        sequences = [_join_overlapping(letters, source_of(index)) for index, letters in pairs]
    cleaned = _BREAK.join(sequences).translate(_CLEANED_OR_BREAK, _WHITE_SPACE)
    if _NOT_A_NUCLEOTIDE in cleaned or cleaned.count(_BREAK) != len(sequences) - 1:
        pairs = enumerate(sequences)
        return [clean_letters(letters, source=source_of(index)) for index, letters in pairs]
    return cleaned.decode("ascii").split("\0")


def begins_as_kmers(letters: bytes) -> bool:
    """Tell whether words of one length from 2 to 8 may follow, as in k-mer text.

    Args:
        letters: The beginning of a sequence as it stands in a file.

    Returns:
        False if the first two words, as far as they are there, tell that it is no k-mer text.

    Example:
        >>> begins_as_kmers(b"ATG TGG"), begins_as_kmers(b"ATG"), begins_as_kmers(b"ACGTACGTAC")
        (True, True, False)
    """
    words = letters.split(None, 2)[:2]
    return len(set(map(len, words))) < 2 and all(len(word) in _KMER_LENGTHS for word in words)


def _join_overlapping(letters: bytes, source: str) -> bytes:
    """Join k-mers if they are ones; leave any other letters and their white space as they are."""
    if letters[: _KMER_LENGTHS.stop].isalpha() or not begins_as_kmers(letters):
        return letters
    words = letters.upper().replace(b"U", b"T").split()
    overlapping = [pair for pair in pairwise(words) if pair[0][1:] == pair[1][:-1]]
    # A few may do so by chance in DNA with spaces, as runs of N or A do; more than half of others
    # are k-mers with a fault, which the error names.
    n_telling = sum(before != kmer for before, kmer in overlapping)
    n_pairs = len(words) - 1
    # Codons such as ATG TGA and runs such as AAA AAA overlap as well: four letters or more must
    # agree that need not, which chance does in less than one of 250 sequences.
    if n_pairs < 1 or n_telling * (len(words[0]) - 1) < _LEAST_AGREEING:
        return letters
    if len(overlapping) < n_pairs and 2 * n_telling <= n_pairs:
        return letters
    text = b" ".join(words).decode("utf-8", "replace")
    return join_kmers(text, source=source).encode()


def _check_letters(translated: bytes, letters: bytes, source: str, start: int) -> None:
    position = translated.find(_NOT_A_NUCLEOTIDE)
    if position < 0:
        return
    # Four bytes hold any one character of UTF-8.
    rest = letters.translate(None, _WHITE_SPACE)[position : position + 4]
    letter = rest.decode("utf-8", "replace")[0]
    raise ValueError(
        f"{source}: a sequence may hold only nucleotide letters (A, C, G, T, U and the IUPAC codes "
        f"RYSWKMBDHVN), found {letter!r} at position {start + position} (0-based); correct it or "
        "leave the sequence out"
    )


def is_kmer_text(text: str) -> bool:
    """Tell whether a text looks like k-mers parted by white space, as the first DNABERT wants it.

    Args:
        text: Any text.

    Returns:
        True for two or more words of one length that hold nothing but nucleotide letters.

    Example:
        >>> is_kmer_text("ATG TGG GGC"), is_kmer_text("ATGGC"), is_kmer_text("some text")
        (True, False, False)
    """
    words = text.split()
    if len(words) < 2 or len(set(map(len, words))) > 1:
        return False
    letters = "".join(words).encode("utf-8", "replace")
    return _NOT_A_NUCLEOTIDE not in letters.translate(_CLEANED)


def join_kmers(text: str, *, source: str) -> str:
    """Turn overlapping k-mers back into the sequence that they were cut from.

    Args:
        text: K-mers of one length, parted by white space, each one base further than the last.
        source: Where the text stands, for the error.

    Returns:
        The sequence, n_kmers + k - 1 bases, letters as written.

    Raises:
        ValueError: If a k-mer does not begin with the last k-1 letters of the k-mer before it.

    Example:
        >>> join_kmers("ATG TGG GGC", source="the example")
        'ATGGC'
    """
    joined = _join_regular(text.strip())
    if joined is not None:
        return joined
    words = text.split()
    for index, (before, kmer) in enumerate(pairwise(words), start=1):
        if len(kmer) != len(before) or kmer[:-1] != before[1:]:
            raise ValueError(
                f"{source}: each k-mer must begin with the last k-1 letters of the one before, "
                f"found {kmer!r} after {before!r} at k-mer {index} (0-based); write overlapping "
                "k-mers, or the sequence without spaces"
            )
    return "".join(words[:1] + [kmer[-1] for kmer in words[1:]])


def _join_regular(text: str) -> str | None:
    """Join k-mers parted by one blank each, None if they are not or do not overlap."""
    k = text.find(" ")
    letters = text.encode("utf-8", "replace")
    stride = k + 1
    if k < 1 or len(letters) % stride != k or not text.isascii():
        return None
    # Slices compare all neighbours at once: letter i + 1 of a k-mer is letter i of the next one.
    columns = [letters[offset::stride] for offset in range(k)]
    blanks = letters[k::stride]
    if blanks.strip() or any(this[1:] != next_[:-1] for this, next_ in pairwise(columns)):
        return None
    return text[: k - 1] + columns[-1].decode("ascii")


def count_unknown(sequence: str, k: int) -> int:
    """Count the k-mers that hold anything but A, C, G, T or U: the model sees them as [UNK].

    Args:
        sequence: DNA or RNA in any case, without white space.
        k: Bases per k-mer, at least 1.

    Returns:
        How many of the len(sequence) - k + 1 k-mers hold such a letter.

    Example:
        >>> count_unknown("ACGNACGT", k=3)
        3
    """
    n_kmers = len(sequence) - k + 1
    letters = sequence.encode("ascii")
    if n_kmers < 1 or not letters.translate(None, _KNOWN):
        return 0
    is_unknown = np.frombuffer(letters.translate(_IS_UNKNOWN), dtype=np.bool_)
    holds_unknown = is_unknown[:n_kmers].copy()
    for offset in range(1, k):
        holds_unknown |= is_unknown[offset : offset + n_kmers]
    return int(np.count_nonzero(holds_unknown))
