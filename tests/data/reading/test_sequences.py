import random
import re

import pytest

from dnabert_hf.data.reading.sequences import (
    clean_all,
    clean_letters,
    clean_sequence,
    count_unknown,
    is_kmer_text,
    join_kmers,
    reverse_complement,
)


def random_sequence(length, letters="ACGT", seed=0):
    return "".join(random.Random(seed).choices(letters, k=length))


def test_reverse_complement_reads_the_other_strand_and_keeps_the_case():
    assert reverse_complement("AACgtn") == "nacGTT"
    assert reverse_complement("RYSWKMBDHVN") == "NBDHVKMWSRY"
    assert reverse_complement("AU") == "AT"
    assert reverse_complement("") == ""


def test_reverse_complement_twice_is_the_sequence_itself():
    sequence = random_sequence(1000, "ACGTRYSWKMBDHVNacgtryswkmbdhvn")
    assert reverse_complement(reverse_complement(sequence)) == sequence


def test_reverse_complement_refuses_letters_that_are_no_nucleotides():
    with pytest.raises(ValueError, match=r"found '-' at position 2 \(0-based\)"):
        reverse_complement("AC-T")


def test_clean_sequence_drops_white_space_and_gives_upper_case_dna():
    assert clean_sequence(" acg\nuU\r\n nR\t", source="x") == "ACGTTNR"
    assert clean_sequence("", source="x") == ""


@pytest.mark.parametrize("letter", ["X", "-", "*", "?", "É", "中", "\udc80", "1", "\0"])
def test_clean_sequence_names_source_position_and_letter_of_what_is_no_nucleotide(letter):
    shown = "'?'" if letter == "\udc80" else repr(letter)
    found = re.escape(f"found {shown} at position 4 (0-based)")
    with pytest.raises(ValueError, match=f"^genome.fa, record chr1: .*{found}"):
        clean_sequence(f"AC GT\n{letter}ACGT", source="genome.fa, record chr1")


def test_clean_letters_counts_positions_from_the_start_given():
    with pytest.raises(ValueError, match="found 'X' at position 102 "):
        clean_letters(b"ACX", source="x", start=100)


def test_clean_all_cleans_each_sequence_by_itself():
    assert clean_all([b"ac g\n", b"", b"UN"], source_of=str) == ["ACG", "", "TN"]


@pytest.mark.parametrize("bad", [b"AXG", b"A\0G"])
def test_clean_all_names_the_sequence_with_the_bad_letter(bad):
    with pytest.raises(ValueError, match=r"^record 1: .* at position 1 "):
        clean_all([b"ACG", bad], source_of="record {}".format)


def test_kmer_text_is_two_or_more_nucleotide_words_of_one_length():
    assert is_kmer_text("ATG TGG")
    assert is_kmer_text(" atg\ttgn ")
    assert not is_kmer_text("ATGTGG")
    assert not is_kmer_text("ATG TGGC")
    assert not is_kmer_text("this line")
    assert not is_kmer_text("")


@pytest.mark.parametrize("k", range(1, 9))
@pytest.mark.parametrize("separator", [" ", "  ", "\t"])
def test_joined_kmers_give_back_the_sequence(k, separator):
    sequence = random_sequence(100, seed=k)
    kmers = [sequence[start : start + k] for start in range(len(sequence) - k + 1)]
    assert join_kmers(separator.join(kmers), source="x") == sequence


def test_join_kmers_leaves_a_single_word_and_nothing_as_they_are():
    assert join_kmers(" ATGGC\n", source="x") == "ATGGC"
    assert join_kmers(" ", source="x") == ""


@pytest.mark.parametrize("text", ["ATG TGG GCC CCA", "ATG TGG CC CCA", "ATG TGG GGGC", "ATG TGG É"])
def test_join_kmers_names_the_kmer_that_does_not_overlap(text):
    with pytest.raises(ValueError, match=r"^a\.tsv, line 3: .* after 'TGG' at k-mer 2 \(0-based\)"):
        join_kmers(text, source="a.tsv, line 3")


def test_one_unknown_base_spoils_up_to_k_kmers():
    assert count_unknown("ACGTACGT", k=3) == 0
    assert count_unknown("ACGNACGT", k=3) == 3
    assert count_unknown("NACGTACG", k=3) == 1
    assert count_unknown("ACNNACGT", k=3) == 4
    assert count_unknown("acguNNN", k=3) == 3
    assert count_unknown("AN", k=3) == 0


@pytest.mark.parametrize("k", range(2, 9))
def test_unknown_kmers_are_those_with_a_letter_that_is_no_base(k):
    sequence = random_sequence(500, "ACGTACGTACGTN", seed=k)
    kmers = [sequence[start : start + k] for start in range(len(sequence) - k + 1)]
    assert count_unknown(sequence, k) == sum("N" in kmer for kmer in kmers)


@pytest.mark.parametrize("text", ["ATG TGA", "AAA AAA AAA", "ACGT CGTA", "NNNNNN NNNNNN"])
def test_few_words_that_may_overlap_by_chance_stay_dna(text):
    assert clean_sequence(text, source="s") == text.replace(" ", "")


def test_one_word_more_tells_that_they_are_kmers():
    assert clean_sequence("ACGT CGTA GTAC", source="s") == "ACGTAC"
