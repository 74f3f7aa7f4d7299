import io

import pytest

from dnabert_hf.data.reading import fasta
from dnabert_hf.data.reading.fasta import read_fasta, read_fastq


def records(text, reader=read_fasta):
    return [(record.id, record.sequence) for record in reader(io.BytesIO(text), "x")]


def test_fasta_records_take_the_first_word_as_id_and_join_their_lines():
    text = b"\n>chr1 first one\nacgt\nNN\r\n\nAC\n> chr2\r\nUU\n>\nGG"
    assert records(text) == [("chr1", "ACGTNNAC"), ("chr2", "TT"), ("2", "GG")]


@pytest.mark.parametrize("block_size", [1, 2, 3, 7, 16, 40])
def test_block_borders_change_nothing(monkeypatch, block_size):
    monkeypatch.setattr(fasta, "_BLOCK_SIZE", block_size)
    text = b">a\nACGT\nAC\n>b x>y\nGG\n>c\nT\nTTTT\n"
    assert records(text) == [("a", "ACGTAC"), ("b", "GG"), ("c", "TTTTT")]


@pytest.mark.parametrize("block_size", [1, 7, 20, 1000])
def test_kmer_text_is_joined_whatever_its_lines(monkeypatch, block_size):
    monkeypatch.setattr(fasta, "_BLOCK_SIZE", block_size)
    text = b">a\nCCTCTG CTCTGC\nTCTGCC\n>b\nCCTC\nCTCT\r\nTCTG\n>c\nACGTACGTAC CGTACGTACG\nGTACG\n"
    text += b">d\nCCT CTC TCT CTG\n"
    expected = [("a", "CCTCTGCC"), ("b", "CCTCTG"), ("c", "ACGTACGTACCGTACGTACGGTACG")]
    assert records(text) == [*expected, ("d", "CCTCTG")]


def test_lines_of_few_letters_that_do_not_overlap_stay_dna(monkeypatch):
    monkeypatch.setattr(fasta, "_BLOCK_SIZE", 1)
    text = b">a\nACGT\nTTAC\nGGCA\nGG\n"
    assert records(text) == [("a", "ACGTTTACGGCAGG")]


@pytest.mark.parametrize("block_size", [1, 1000])
def test_fasta_errors_name_record_position_and_letter(monkeypatch, block_size):
    monkeypatch.setattr(fasta, "_BLOCK_SIZE", block_size)
    with pytest.raises(ValueError, match=r"^x, record b: .* found 'X' at position 5 \(0-based\)"):
        records(b">a\nACGT\n>b\nACGT\nAXG\n>c\nA\n")


@pytest.mark.parametrize("text", [b">a\n>b\nA\n>c\nA\n", b">b\nA\n>a\n\n", b">b\nA\n>a"])
@pytest.mark.parametrize("block_size", [1, 1000])
def test_a_fasta_record_without_sequence_is_named(monkeypatch, text, block_size):
    monkeypatch.setattr(fasta, "_BLOCK_SIZE", block_size)
    with pytest.raises(ValueError, match=r"^x, record a has a header but no sequence"):
        records(text)


def test_text_before_the_first_header_is_refused():
    with pytest.raises(ValueError, match="found text before the first '>'"):
        records(b"ACGT\n>a\nACGT\n")


def test_a_header_that_is_no_utf8_is_refused():
    with pytest.raises(ValueError, match=r"found the bytes b'\\xff' in the header of record 1"):
        records(b">a\nACGT\n>\xff\nACGT\n")


def test_fastq_records_have_ids_and_sequences():
    text = b"@r1 1:N:0\nacgN\n+\n@@@@\n@r2\r\nUU\r\n+r2\r\nII\r\n\n\n"
    assert records(text, read_fastq) == [("r1", "ACGN"), ("r2", "TT")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"@r1\nACGT\n+\nIII\n", "^x, line 1, record r1 must have .* 4 bases and 3 qualities"),
        (b"@r1\nAC\n+\nII\n@r2\nAC\n+\n", "^x, line 5: the file ends in the middle"),
        (b"@r1\nAC\n+\nII\n@r2\n", "^x, line 5: the file ends in the middle"),
        (b"@r1\nAC\n+\nII\nr2\nAC\n+\nII\n", r"^x, line 5: .* found b'r2' and b'\+'"),
        (b"@r1\nAC\nGT\n+\nIIII\n", r"^x, line 1: .* found b'@r1' and b'GT'"),
        (b"@r1\nAC\n+\nII\n\n@r2\nAC\n+\nII\n", "^x, line 5: a FASTQ record must have four lines"),
        (b"@r1\n\n+\n\n", "^x, line 1, record r1 has a header but no sequence"),
        (b"@r1\nAXG\n+\nIII\n", "^x, line 1, record r1: .* found 'X' at position 1 "),
    ],
)
def test_fastq_errors_name_line_and_fault(text, message):
    with pytest.raises(ValueError, match=message):
        records(text, read_fastq)
