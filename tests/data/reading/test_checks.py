import pytest

from dnabert_hf.data.reading.checks import check_records
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.records_from_file import read_records
from dnabert_hf.data.reading.sources import open_source

# Residues 1 to 34 of a protein, of letters that are all IUPAC codes of bases.
PROTEIN = "MKVSTAHGRWDKYNSVHMRKTDBVWSKAHCRGNM"


def test_short_sequences_are_left_out_and_counted_if_asked(tmp_path, caplog):
    path = tmp_path / "x.fa"
    path.write_text(">a\nACGT\n>b\nAC\n>c\nACG\n>d\nA\n")
    for source in (path, ["ACGT", "AC", "ACG", "A"]):
        with pytest.raises(ValueError, match=r"at least k = 3 bases long, found 2; .*--skip-short"):
            list(open_source(source, k=3))
        assert [r.sequence for r in open_source(source, k=3, skip_short=True)] == ["ACGT", "ACG"]
    assert f"{path}: 2 sequences shorter than k = 3 left out" in caplog.text


def test_a_pair_is_as_short_as_its_shorter_sequence():
    pair = SequenceRecord("a", "ACGTACGT", None, "AC")
    assert list(check_records([pair], 3, skip_short=True)) == []
    with pytest.raises(ValueError, match=r"record a: .*found 2"):
        list(check_records([pair], 3))


@pytest.mark.parametrize("sequence", [PROTEIN, PROTEIN.lower(), "MKVSTAHGRWDKYNSVHMRK"])
def test_a_protein_is_refused(tmp_path, sequence):
    (tmp_path / "x.faa.fa").write_text(f">p\n{sequence}\n")
    with pytest.raises(ValueError, match=r"record p: a sequence must be DNA, found .* protein"):
        list(read_records(tmp_path / "x.faa.fa", k=6))


@pytest.mark.parametrize(
    "sequence",
    ["N" * 50 + "ACGTACGT", "ACGTRYSWKMBDHVNACGTACGTACGTACGTACGT", "RYRYRYSWSW", "ACGTN" * 9],
)
def test_dna_with_unknown_bases_is_no_protein(sequence, caplog):
    assert len(list(open_source([sequence], k=6))) == 1
    assert "become [UNK]" in caplog.text


def test_sequences_of_unknown_kmers_alone_are_counted_and_the_first_is_named(tmp_path, caplog):
    records = {"good": "ACGTNNNNNN", "a": "N" * 9, "b": "MKVSTAHGR", "c": "ACNGTNACN"}
    path = tmp_path / "x.fa"
    path.write_text("".join(f">{name}\n{dna}\n" for name, dna in records.items()))
    list(read_records(path, k=3))
    half = SequenceRecord("half", "NNNN", sequence_b="ACGT")
    list(open_source([half, SequenceRecord("pair", "NNNN", sequence_b="NNN")], k=3))
    said = [r.getMessage() for r in caplog.records if "says nothing" in r.getMessage()]
    text = "sequences with no k-mer of A, C, G and T alone: {} (first: {}); what is predicted of "
    text += "them says nothing"
    assert said == [f"{path}: {text.format(3, 'a')}", text.format(1, "pair")]
