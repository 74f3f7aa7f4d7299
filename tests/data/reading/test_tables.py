import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.data.reading.records_from_file import read_records
from dnabert_hf.data.reading.tables import read_kmer_lines, read_parquet, read_table

ONLY_SEQUENCE = frozenset({"sequence"})


def table(text, *, delimiter="\t", columns=None, required=ONLY_SEQUENCE):
    stream = io.BytesIO(text.encode() if isinstance(text, str) else text)
    columns = columns or Columns()
    return list(read_table(stream, "x", delimiter=delimiter, columns=columns, required=required))


def parquet(contents, *, columns=None, required=ONLY_SEQUENCE):
    stream = io.BytesIO()
    pq.write_table(pa.table(contents), stream)
    stream.seek(0)
    return list(read_parquet(stream, "x", columns=columns or Columns(), required=required))


def test_a_table_gives_every_part_of_a_record_whatever_the_order_of_its_columns():
    text = "label\tid\tsequence_b\tsplit\tsequence\tmore\n 1 \tr7\tGG\tdev\tacgu\tx\n"
    assert table(text) == [SequenceRecord("r7", "ACGT", "1", "GG", "dev")]


def test_rows_without_an_id_column_are_numbered_from_0():
    assert table("sequence\r\nAC\r\nGT\r\n\r\n") == [
        SequenceRecord("0", "AC"),
        SequenceRecord("1", "GT"),
    ]


@pytest.mark.parametrize(("first", "delimiter"), [("sep=,", ","), ("SEP=\t", "\t"), ("sep=;", ",")])
def test_the_first_line_for_excel_is_no_header(first, delimiter):
    text = f"{first}\nsequence{delimiter}label\nACGT{delimiter}1\n"
    assert table(text, delimiter=delimiter) == [SequenceRecord("0", "ACGT", "1")]


def test_columns_can_be_named():
    columns = Columns(sequence="seq", label="strength")
    assert table("seq,strength\nAC,0.5\n", delimiter=",", columns=columns) == [
        SequenceRecord("0", "AC", "0.5")
    ]


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".parquet"])
def test_pairs_of_the_first_dnabert_are_read_by_their_own_headers(tmp_path, suffix):
    rows = {"seq1": ["ACG CGT"], "seq2": ["TTT TTA"], "label": ["1"]}
    path = tmp_path / f"dev{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.table(rows), path)
    else:
        cells = "\t" if suffix == ".tsv" else ","
        path.write_text(
            "".join(f"{cells.join(r)}\n" for r in (list(rows), *zip(*rows.values(), strict=True)))
        )
    assert [each[1:4] for each in read_records(path, labelled=True)] == [("ACGT", "1", "TTTA")]


def test_seq1_and_seq2_are_no_pair_where_columns_are_named_otherwise(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text("seq1\tseq2\tsequence\nAAA\tCCC\tGGG\n")
    assert [(r.sequence, r.sequence_b) for r in read_records(path)] == [("GGG", None)]
    named = read_records(path, columns=Columns(sequence="seq2"))
    assert [(r.sequence, r.sequence_b) for r in named] == [("CCC", None)]


def test_quoted_cells_may_hold_the_delimiter():
    assert table('sequence,label\n"AC","a,b"\n', delimiter=",")[0].label == "a,b"


def test_kmer_text_in_a_cell_is_joined():
    assert table("sequence\tlabel\nATG TGG GGC\t1\n") == [SequenceRecord("0", "ATGGC", "1")]


def test_cells_longer_than_the_limit_of_the_csv_module_are_read():
    assert len(table("sequence\n" + "ACGT" * 50_000)[0].sequence) == 200_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ACGT\t1\nACGT\t0\n", "^x, line 1: .*found what looks like data: 'ACGT', '1'; add a head"),
        ("ATG TGG\t1\n", "^x, line 1: .*found what looks like data"),
        ("seq\tlabel\nAC\t1\n", "^x, line 1: .* column 'sequence' for the sequence, found 'seq', "),
        ("sequence\tlabel\nAC\t1\nAC\n", "^x, line 3: .* as the header, 2, found 1"),
        ("sequence\tsequence\nAC\tAC\n", "^x, line 1: .* found 'sequence' 2 times"),
        ("sequence\n", "^x has a header but no rows"),
        ("sequence\n\nAC\n", "^x, line 2: .* no blank lines"),
        ("sequence\tlabel\n \t1\n", "^x, line 2, record 0 has an empty sequence"),
        ("sequence\tid\nAC\t\n", "^x, line 2: each row must have a value in the column 'id'"),
        ("sequence\tid\nAC\tr1\nAXC\tr2\n", "^x, line 3, record r2: .* 'X' at position 1 "),
        ("sequence\nATG TGG GCC\n", "^x, line 2, record 0: .* at k-mer 2 "),
        ('sequence\n"AC\n', "^x, line 2: .* mistake in its quotes"),
        (b"sequence\nAC\nA\xff\n", r"^x, line 3: .* the byte 0xff at byte 1 \(0-based\)"),
    ],
)
def test_table_errors_name_line_and_fault(text, message):
    with pytest.raises(ValueError, match=message):
        table(text)


def test_a_column_that_was_named_or_asked_for_must_be_there():
    with pytest.raises(ValueError, match="column 'strength' for the label, found 'sequence'"):
        table("sequence\nAC\n", columns=Columns(label="strength"), required={"sequence", "label"})


def test_kmer_lines_are_numbered_from_0():
    stream = io.BytesIO(b"ATG TGG GGC\nAAA\n\n")
    assert list(read_kmer_lines(stream, "x")) == [
        SequenceRecord("0", "ATGGC"),
        SequenceRecord("1", "AAA"),
    ]


def test_kmer_lines_that_do_not_overlap_are_refused():
    with pytest.raises(ValueError, match=r"^x, line 2, record 1: each k-mer must begin"):
        list(read_kmer_lines(io.BytesIO(b"ATG TGG\nATG GGG\n"), "x"))


@pytest.mark.parametrize("text_type", [pa.string(), pa.large_string(), pa.string_view()])
def test_parquet_text_of_every_kind_is_read(text_type):
    contents = {"sequence": pa.array(["acg", "ATG TGG"], text_type), "label": ["a", None]}
    assert parquet(contents) == [SequenceRecord("0", "ACG", "a"), SequenceRecord("1", "ATGG")]


def test_parquet_numbers_and_categories_become_text():
    contents = {
        "id": [7, 8],
        "sequence": pa.array(["AC", "GT"]).dictionary_encode(),
        "label": [0.5, None],
        "split": [True, False],
    }
    assert parquet(contents) == [
        SequenceRecord("7", "AC", "0.5", None, "True"),
        SequenceRecord("8", "GT", None, None, "False"),
    ]


def test_one_parquet_column_may_serve_twice():
    records = parquet({"sequence": ["AC"], "name": ["a"]}, columns=Columns(id="name", label="name"))
    assert records == [SequenceRecord("a", "AC", "a")]


def test_parquet_rows_are_numbered_across_batches():
    assert [r.id for r in parquet({"sequence": ["AC"] * 600})] == [str(n) for n in range(600)]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"sequence": [1]}, r"^x: the column 'sequence' \(sequence\) must hold text, found int64"),
        ({"sequence": ["A"], "label": [["a"]]}, "^x: .* must hold text or numbers, found list"),
        ({"seq": ["A"]}, "^x: the table must have the column 'sequence' .* found 'seq'"),
        ({"sequence": pa.array([], pa.string())}, "^x has columns but no rows"),
        ({"sequence": ["A", None]}, "^x, record 1 has an empty sequence"),
        ({"sequence": ["A", "AX"]}, "^x, record 1: .* found 'X' at position 1 "),
    ],
)
def test_parquet_errors_name_row_and_fault(contents, message):
    with pytest.raises(ValueError, match=message):
        parquet(contents)


def test_a_damaged_parquet_file_is_refused():
    with pytest.raises(ValueError, match=r"^x must be a readable Parquet file, found damage"):
        list(read_parquet(io.BytesIO(b"PAR1 cut"), "x", columns=Columns(), required=ONLY_SEQUENCE))


@pytest.mark.parametrize(
    ("content", "suffix", "hint"),
    [
        ("sequence;label\nACGT;1\n", ".csv", "divided by semicolons: write tabs"),
        ("sequence,label\nACGT,1\n", ".tsv", "divided by commas"),
        ("sequence\tlabel\nACGT\t1\n", ".csv", "divided by tabs"),
        ("id | sequence\n1 | ACGT\n", ".tsv", "divided by bars"),
        ("Sequence\tLabel\nACGT\t1\n", ".tsv", r"rename 'Sequence'.*--sequence-column Sequence"),
        ("sequence\tLABEL\nACGT\t1\n", ".tsv", r"rename 'LABEL'.*--label-column LABEL"),
        ("seq\tlabel\nACGT\t1\n", ".tsv", "rename the column or name the right one"),
    ],
)
def test_a_missing_column_comes_with_a_hint(tmp_path, content, suffix, hint):
    path = tmp_path / f"d{suffix}"
    path.write_text(content)
    with pytest.raises(ValueError, match=hint):
        list(read_records(path, labelled=True))
