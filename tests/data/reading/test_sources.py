import logging

import pandas as pd
import pytest

from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sources import iterate_chunks, open_source


def test_texts_are_cleaned_and_numbered():
    records = list(open_source(["acg u", "TTTT"], k=3))
    assert [(r.id, r.sequence) for r in records] == [("0", "ACGT"), ("1", "TTTT")]


def test_records_keep_their_ids_and_pairs():
    (record,) = open_source([SequenceRecord("x", "acgt", sequence_b="uuu")], k=3)
    assert record == SequenceRecord("x", "ACGT", sequence_b="TTT")


def test_a_path_is_read_as_a_file(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(">x\nACGT\n")
    assert [record.id for record in open_source(path, k=3)] == ["x"]
    assert [record.id for record in open_source(str(path), k=3)] == ["x"]


def test_ids_of_a_file_that_come_again_are_said_once(tmp_path, caplog):
    path = tmp_path / "a.fa"
    path.write_text(">seq 1\nACGT\n>seq 2\nACGT\n>x\nACGT\n>x y\nACGT\n>z\nACGT\n")
    assert [record.id for record in open_source(path, k=3)] == ["seq", "seq", "x", "x", "z"]
    (said,) = caplog.messages
    assert "a.fa: 2 sequences have the id of one before, such as 'seq' (an id of FASTA" in said
    path.write_text(">seq1\nACGT\n>seq2\nACGT\n")
    list(open_source(path, k=3))
    assert len(caplog.messages) == 1


def test_a_table_in_memory_is_refused_with_the_way_out():
    """It iterates over the names of its columns, which may even be DNA."""
    frame = pd.DataFrame({"AAAA": ["ACGT"]})
    with pytest.raises(ValueError, match=r"got a table \(DataFrame\); give its column, such as"):
        list(open_source(frame, k=3))
    assert [record.sequence for record in open_source(frame["AAAA"], k=3)] == ["ACGT"]


def test_a_sequence_shorter_than_k_is_refused_by_name():
    with pytest.raises(ValueError, match=r"record 1: a sequence must be at least k = 3 .* found 2"):
        list(open_source(["ACGT", "AC"], k=3))
    with pytest.raises(ValueError, match=r"record x: a sequence must be at least k = 3 .* found 1"):
        list(open_source([SequenceRecord("x", "ACGT", sequence_b="A")], k=3))


def test_letters_that_are_no_nucleotides_are_refused():
    with pytest.raises(ValueError, match=r"record 0: .*found 'J' at position 1"):
        list(open_source(["AJG"], k=3))


def test_unknown_kmers_are_counted_once(caplog):
    with caplog.at_level(logging.WARNING, logger="dnabert_hf"):
        # ACN, CNG, NGT are unknown; ACG twice and CGT are not.
        list(open_source(["ACGNGT", "ACGT"], k=3))
    assert [record.getMessage() for record in caplog.records] == [
        "3 of 6 k-mers (k = 3) hold letters other than A, C, G, T and become [UNK]"
    ]


@pytest.mark.parametrize(
    "text", ["CCTCTG CTCTGC TCTGCC", "cct ctc\ntct\tctg\r\ntgc gcc", "CCUC CUCU UCUG CTGC TGCC"]
)
def test_kmer_text_is_joined_in_lists_and_records(text):
    """CCTCTGCC, written in words of 6, 3 and 4 letters."""
    assert [r.sequence for r in open_source([text], k=3)] == ["CCTCTGCC"]
    (pair,) = open_source([SequenceRecord("x", text, sequence_b=text)], k=3)
    assert (pair.sequence, pair.sequence_b) == ("CCTCTGCC", "CCTCTGCC")


@pytest.mark.parametrize(
    "text", ["ACGTACGTAC CGTACGTACG GTACGTACGT", "ATG GCC TTA GGA", "ATGGCC\nTTAGGA", "AC CG GT"]
)
def test_dna_in_blocks_codons_and_lines_stays_dna(text):
    expected = "".join(text.split())
    assert [r.sequence for r in open_source([text], k=3)] == [expected]


def test_kmer_text_with_a_fault_is_refused():
    with pytest.raises(ValueError, match=r"record 0: .*found 'TTT' after 'TCT' at k-mer 3"):
        list(open_source(["CCT CTC TCT TTT TTG TGC"], k=3))


def test_chunks_end_when_they_hold_the_bases_asked_for():
    records = [SequenceRecord(str(i), "A" * n) for i, n in enumerate([5, 5, 30, 1, 1])]
    chunks = list(iterate_chunks(records, n_bases=10))
    assert [[r.id for r in chunk] for chunk in chunks] == [["0", "1"], ["2"], ["3", "4"]]


def test_both_sequences_of_a_pair_fill_a_chunk():
    records = [SequenceRecord(str(i), "A" * 5, sequence_b="A" * 5) for i in range(2)]
    assert len(list(iterate_chunks(records, n_bases=10))) == 2


def test_chunks_have_at_most_8192_records():
    records = (SequenceRecord(str(i), "ACGT") for i in range(8193))
    assert [len(chunk) for chunk in iterate_chunks(records, n_bases=10**9)] == [8192, 1]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([b"ACGT"], r"sequence 0 must be DNA as text .*, got bytes b'ACGT'; decode it: \.decode"),
        (["ACGT", None], r"sequence 1 must be DNA as text or a SequenceRecord, got NoneType None"),
        (["ACGT", float("nan")], r"sequence 1 must be DNA .*, got float nan"),
        ([("a", "ACGT")], r"sequence 0 must be DNA .*, got tuple \('a', 'ACGT'\)"),
        ([SequenceRecord("a", b"ACGT")], r"sequence 0 must be DNA .* got bytes b'ACGT'; decode"),
        ([SequenceRecord("a", "ACGT", None, b"AC")], r"record a must be text, got bytes b'AC'"),
        (b"ACGT", r"the source must be a file, or sequences as text or records, got bytes"),
        ({"a": "ACGT"}, r"the source must be a file, .* got dict \{'a': 'ACGT'\}"),
        (None, "the source must be a file, .* got NoneType None"),
        ("ACGTACGT", "ACGTACGT must be a file .*; check the path, or give sequences as a list"),
    ],
)
def test_what_is_no_text_is_refused_with_the_way_out(source, message):
    with pytest.raises(ValueError, match=message):
        list(open_source(source, k=3))
