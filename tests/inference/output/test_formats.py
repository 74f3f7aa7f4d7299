import gzip
import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from safetensors import safe_open

from dnabert_hf.inference.output.formats import (
    DelimitedFormat,
    ParquetFormat,
    SafetensorsFormat,
    choose_format,
    choose_table,
)


def write(result_format, tmp_path, *chunks):
    parts = [tmp_path / f"part-{i}" for i in range(len(chunks))]
    for part, rows in zip(parts, chunks, strict=True):
        result_format.write_part(part, rows)
    result_format.join(parts, tmp_path / "joined")
    return tmp_path / "joined"


def test_a_table_has_its_header_once(tmp_path):
    table = DelimitedFormat(["id", "p"], delimiter="\t")
    path = write(table, tmp_path, [["a", 1.0]], [["b", 0.123456789]])
    assert path.read_text() == "id\tp\na\t1\nb\t0.123457\n"


def test_cells_that_hold_the_delimiter_are_quoted(tmp_path):
    table = DelimitedFormat(["id"], delimiter=",")
    assert write(table, tmp_path, [["a,b"]]).read_text() == 'id\n"a,b"\n'


def test_compressed_parts_make_one_file_with_the_same_bytes_each_time(tmp_path):
    table = DelimitedFormat(["id"], delimiter="\t", is_gzip=True)
    first = write(table, tmp_path, [["a"]], [["b"]]).read_bytes()
    assert gzip.decompress(first) == b"id\na\nb\n"
    assert write(table, tmp_path, [["a"]], [["b"]]).read_bytes() == first


def test_parquet_keeps_types_and_order(tmp_path):
    result_format = ParquetFormat(pa.schema([("id", pa.string()), ("p", pa.float32())]))
    table = parquet.read_table(write(result_format, tmp_path, [["a", 0.5]], [["b", 0.25]]))
    assert table.to_pydict() == {"id": ["a", "b"], "p": [0.5, 0.25]}
    assert table.schema.field("p").type == pa.float32()


def test_parquet_cells_are_those_that_pyarrow_makes(tmp_path):
    vectors, bases = np.arange(8, dtype=np.float16).reshape(2, 2, 2), np.float32([0.1, 2, -3])
    columns = {
        pa.string(): ["é", None, "", "abc"],
        pa.int64(): [2**40, None, -1, 0],
        pa.float32(): [0.1, 1e-9, None, np.float32(0.3)],
        pa.list_(pa.float16(), 2): [*vectors[0], *vectors[1]],
        pa.list_(pa.float32()): [bases, bases[:0], bases[1:], bases],
        pa.list_(pa.list_(pa.float16(), 2)): [vectors[0], vectors[0][:0], vectors[1], vectors[0]],
    }
    schema = pa.schema([(str(kind), kind) for kind in columns])
    rows = list(zip(*columns.values(), strict=True))
    table = parquet.read_table(write(ParquetFormat(schema), tmp_path, rows[:3], rows[3:]))
    for (kind, cells), found in zip(columns.items(), table.columns, strict=True):
        lists = [cell.tolist() if isinstance(cell, np.ndarray) else cell for cell in cells]
        assert found.combine_chunks().equals(pa.array(lists, type=kind)), kind
        found.validate(full=True)


def test_parquet_without_rows_has_its_columns(tmp_path):
    result_format = ParquetFormat(pa.schema([("id", pa.string())]))
    assert parquet.read_table(write(result_format, tmp_path)).column_names == ["id"]


def test_stacked_safetensors_are_read_by_the_library(tmp_path):
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    rows = [("a", vectors[0]), ("b", vectors[1])]
    path = write(SafetensorsFormat(is_stacked=True), tmp_path, rows, [("ü", vectors[2])])
    with safe_open(path, "np") as file:
        assert json.loads(file.metadata()["ids"]) == ["a", "b", "ü"]
        np.testing.assert_array_equal(file.get_tensor("embeddings"), vectors)


def test_safetensors_of_many_shapes_are_read_by_the_library(tmp_path):
    short, long = np.ones((2, 3), np.float32), np.full((5, 3), 7, np.float32)
    path = write(SafetensorsFormat(is_stacked=False), tmp_path, [("a", short)], [("b", long)])
    with safe_open(path, "np") as file:
        assert sorted(file.keys()) == ["a", "b"]
        np.testing.assert_array_equal(file.get_tensor("a"), short)
        np.testing.assert_array_equal(file.get_tensor("b"), long)


def test_safetensors_refuse_an_id_that_comes_twice(tmp_path):
    vector = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match="a name of its own for each record, found 'a' twice"):
        write(SafetensorsFormat(is_stacked=False), tmp_path, [("a", vector), ("a", vector)])


def test_safetensors_without_rows_are_read_by_the_library(tmp_path):
    with safe_open(write(SafetensorsFormat(is_stacked=True), tmp_path), "np") as file:
        assert file.get_tensor("embeddings").shape == (0, 0)


@pytest.mark.parametrize(
    ("name", "delimiter", "is_gzip"),
    [("a.tsv", "\t", False), ("A.TSV.GZ", "\t", True), ("a.csv", ",", False), ("-", "\t", False)],
)
def test_the_name_chooses_the_format(name, delimiter, is_gzip):
    table = choose_table(name, ["id"])
    assert (table.delimiter, table.is_gzip) == (delimiter, is_gzip)


def test_another_suffix_is_refused_with_those_that_are_known(tmp_path):
    with pytest.raises(ValueError, match=r"named \*\.tsv, .*\*\.parquet, got scores\.xlsx"):
        choose_table("scores.xlsx", ["id"], {".parquet": lambda: ParquetFormat(pa.schema([]))})
    with pytest.raises(ValueError, match=r"named \*\.parquet, got -"):
        choose_format(tmp_path / "-", {".parquet": lambda: ParquetFormat(pa.schema([]))})
