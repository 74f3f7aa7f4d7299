"""Rows of alleles in a result file: columns of a table, or INFO fields of a VCF."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dnabert_hf.data.variants.alleles import Allele
from dnabert_hf.data.variants.vcf import VcfRecord
from dnabert_hf.inference.output.formats import ParquetFormat, ResultFormat, choose_table
from dnabert_hf.inference.output.vcf import VcfFormat
from dnabert_hf.inference.variants.tally import SCORED

__all__ = ["NORMALIZED", "AlleleResult", "Column", "ResultColumns", "allele_name", "plain_text"]

_TEXT_COLUMNS = ("contig", "position_1based", "id", "ref", "alt")
_FORMULA = ("=", "+", "-", "@")  # what a spreadsheet takes for the begin of a formula

Value = float | int | str | None


class Column(NamedTuple):
    """A column of a result.

    Attributes:
        name: What a table calls it.
        field: What a VCF calls it.
        kind: "Float", "Integer" or "String", the types of VCF.
        description: What it is, in a line.
    """

    name: str
    field: str
    kind: str
    description: str


NORMALIZED = Column(
    "normalized",
    "normalized",
    "String",
    "CONTIG-POS-REF-ALT left-aligned and parsimonious, where it is written otherwise",
)


class AlleleResult(NamedTuple):
    """What became of an allele.

    Attributes:
        values: A value for each column, None where there is none.
        reason: Why it was not scored, "" if it was.
    """

    values: Sequence[Value]
    reason: str = ""


def allele_name(allele: Allele) -> str:
    """Name an allele CONTIG-POS-REF-ALT, its position 1-based.

    Example:
        >>> allele_name(Allele("chr1", 19, "A", "C"))
        'chr1-20-A-C'
    """
    return f"{allele.contig}-{allele.start + 1}-{allele.ref}-{allele.alt}"


def plain_text(text: str) -> str:
    """Keep a text that a file gives from being a formula in a spreadsheet, by percent-encoding.

    Example:
        >>> plain_text("=1+1"), plain_text("rs1")
        ('%3D1+1', 'rs1')
    """
    return f"%{ord(text[0]):02X}{text[1:]}" if text.startswith(_FORMULA) else text


class ResultColumns:
    """The columns of a result, and its rows.

    Args:
        columns: Those beside the allele and its status.
    """

    def __init__(self, columns: Sequence[Column]):
        self.columns = columns

    def choose_format(self, output: str | Path, header: Sequence[str]) -> ResultFormat:
        """Find the format that the name of a file asks for.

        Args:
            output: Result file, or "-" for standard output.
            header: Header of the VCF that the alleles come from.

        Raises:
            ValueError: If the suffix is none that is known.
        """
        names = [*_TEXT_COLUMNS, *(column.name for column in self.columns), "status"]

        def make_parquet() -> ResultFormat:
            import pyarrow as pa

            types = {"Float": pa.float32(), "Integer": pa.int64(), "String": pa.string()}
            kinds = {column.name: types[column.kind] for column in self.columns}
            kinds["position_1based"] = pa.int64()
            return ParquetFormat(
                pa.schema([(name, kinds.get(name, pa.string())) for name in names])
            )

        fields = {column.field: (column.kind, column.description) for column in self.columns}
        return choose_table(
            output,
            names,
            {
                ".parquet": make_parquet,
                ".vcf": lambda: VcfFormat(header, fields),
                ".vcf.gz": lambda: VcfFormat(header, fields, is_bgzip=True),
            },
        )

    def rows(
        self, record: VcfRecord, results: Sequence[AlleleResult], *, is_vcf: bool
    ) -> list[list[Any]]:
        """Make the rows of a record: one for a VCF, one of each allele for a table.

        Args:
            record: The record.
            results: What became of its alternative alleles.
            is_vcf: Whether the result is a VCF.
        """
        return [self._vcf_row(record, results)] if is_vcf else self._table_rows(record, results)

    def _vcf_row(self, record: VcfRecord, results: Sequence[AlleleResult]) -> list[Any]:
        pairs = list(zip(record.alts, results, strict=True))
        columns = [
            [_differing(result.values[index], record, alt, column) for alt, result in pairs]
            for index, column in enumerate(self.columns)
        ]
        return [record.line, columns, [result.reason for result in results]]

    def _table_rows(self, record: VcfRecord, results: Sequence[AlleleResult]) -> list[list[Any]]:
        texts = [plain_text(text) for text in (record.contig, record.name, record.ref)]
        rows = []
        for alt, result in zip(record.alts, results, strict=True):
            variant = [texts[0], record.start + 1, texts[1], texts[2], plain_text(alt)]
            values = [_cell(value) for value in result.values]
            rows.append([*variant, *values, result.reason or SCORED])
        return rows


def _differing(value: Value, record: VcfRecord, alt: str, column: Column) -> Value:
    """Leave out a normal form that the line has itself."""
    written = Allele(record.contig, record.start, record.ref, alt)
    return None if column is NORMALIZED and value == allele_name(written) else value


def _cell(value: Value) -> Value:
    if isinstance(value, str):
        return plain_text(value)
    return None if isinstance(value, float) and math.isnan(value) else value
