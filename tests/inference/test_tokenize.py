import pytest

from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.inference.tokenize import write_tokens


def test_ids_are_written_with_special_tokens(tmp_path):
    path = tmp_path / "out.tsv"
    written = write_tokens(["ATGGCT"], path, k=3)
    # facts.md: 5 + the base-4 number with A = 0, T = 1, C = 2, G = 3.
    assert path.read_text() == "id\tinput_ids\n0\t2 12 36 67 62 3\n"
    assert written.n_sequences == 1


def test_kmers_are_those_of_the_original(tmp_path):
    path = tmp_path / "out.csv"
    write_tokens(["atggcu"], path, k=3, as_kmers=True)
    assert path.read_text() == "id,kmers\n0,ATG TGG GGC GCT\n"


def test_pairs_have_ids_but_no_kmer_text(tmp_path):
    pair = [SequenceRecord("x", "ATG", sequence_b="TGG")]
    write_tokens(pair, tmp_path / "ids.tsv", k=3)
    assert (tmp_path / "ids.tsv").read_text() == "id\tinput_ids\nx\t2 12 3 36 3\n"
    with pytest.raises(ValueError, match="record x: k-mer text holds one sequence, found a pair"):
        write_tokens(pair, tmp_path / "kmers.tsv", k=3, as_kmers=True)
    assert [path.name for path in tmp_path.iterdir()] == ["ids.tsv"]
