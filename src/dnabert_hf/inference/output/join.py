"""The parts of an array job, made into what one process would have written."""

from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnabert_hf.inference.output.formats import (
    DelimitedFormat,
    FolderFormat,
    ParquetFormat,
    ResultFormat,
    SafetensorsFormat,
)
from dnabert_hf.inference.output.h5ad import H5adFormat
from dnabert_hf.inference.output.part_folder import PartFolder
from dnabert_hf.inference.output.vcf import VcfFormat, index_vcf
from dnabert_hf.inference.output.writer import WrittenResults, check_output

__all__ = ["join_parts"]


def join_parts(output: str | Path, *, overwrite: bool = False) -> WrittenResults:
    """Make a result file of the parts that runs with a shard left beside it.

    The file has the bytes that a single process would have written: the parts are those of a single
    process, whoever wrote them.

    Args:
        output: Result file (or folder), as the runs were told to name it.
        overwrite: Whether to replace an existing one.

    Returns:
        Where it is, and how many rows it has.

    Raises:
        ValueError: If there are no parts, one is missing, or they are of different runs.
    """
    path = Path(output)
    check_output(path, overwrite=overwrite, is_folder=path.is_dir())
    parts = PartFolder(path)
    tally = parts.join(_make_format(parts.describe()))
    if path.name.endswith(".vcf.gz"):
        index_vcf(path)
    return WrittenResults(path, tally["records"])


def _make_format(description: Mapping[str, Any]) -> ResultFormat:
    arguments = dict(description)
    kind = arguments.pop("kind")
    if kind == "parquet":
        import pyarrow as pa

        return ParquetFormat(pa.ipc.read_schema(pa.py_buffer(b64decode(arguments["schema"]))))
    if kind == "folder":
        return FolderFormat(_make_format(arguments.pop("of_files")), **arguments)
    if kind == "vcf":
        return VcfFormat(**arguments)
    if kind == "h5ad":
        return H5adFormat(**arguments)
    if kind == "safetensors":
        return SafetensorsFormat(**arguments)
    return DelimitedFormat(**arguments)
