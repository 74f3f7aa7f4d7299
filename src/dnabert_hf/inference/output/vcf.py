"""VCF files with scores as INFO: the lines stay as they are, and something is added."""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dnabert_hf.inference.output.formats import Row

__all__ = ["VcfFormat", "index_vcf"]

logger = logging.getLogger(__name__)

_PREFIX = "DNABERT_"
_SKIPPED = f"{_PREFIX}SKIPPED"
_MISSING_VALUE = "."
_SPECIAL = re.compile(r"[:;=%,\s]")  # as in section 1.2 of the specification; a space ends nothing
_COPY_BYTES = 1 << 20
_MISSING = (
    "bgzip and index need pysam: pip install 'dnabert-hf[variants]' (or write .vcf, .tsv, .parquet)"
)


class VcfFormat:
    """A VCF with scores of each alternative allele as INFO.

    A row is the line as it was, the values of each field by allele, and of each allele why it was
    not scored ("" if it was). Texts are percent-encoded as VCF 4.3 asks for, and have no spaces. A
    line without an alternative allele gets nothing: values of Number=A would be none.

    Args:
        header: Lines of the header, the last one with the names of the columns.
        fields: Type ("Float", "Integer" or "String") and description of each value by its name.
        is_bgzip: Whether to compress, as tabix needs it.

    Raises:
        ImportError: If it is to be compressed and pysam is not installed.
    """

    def __init__(
        self,
        header: Sequence[str],
        fields: Mapping[str, Sequence[str]],
        *,
        is_bgzip: bool = False,
    ):
        self._arguments = {"header": list(header), "fields": dict(fields), "is_bgzip": is_bgzip}
        self._names = [_PREFIX + name.upper() for name in fields]
        if len({*self._names}) < len(self._names):
            raise ValueError(
                "several models must have names that differ in more than the case of letters for a "
                f"VCF, found {', '.join(fields)}; rename the folder of one"
            )
        new = [
            f'##INFO=<ID={name},Number=A,Type={kind},Description="{_escape(text)}">'
            for name, (kind, text) in zip(self._names, fields.values(), strict=True)
        ]
        new.append(
            f"##INFO=<ID={_SKIPPED},Number=A,Type=String,"
            'Description="Why an allele was not scored">'
        )
        ours = tuple(line.split(",")[0] for line in new)
        kept = [line for line in header[:-1] if not line.startswith(tuple(f"{o}," for o in ours))]
        self._header = "".join(f"{line}\n" for line in [*kept, *new, header[-1]])
        self._is_bgzip = is_bgzip
        if is_bgzip:
            _import_pysam()

    def describe(self) -> dict[str, Any]:
        """Give the arguments that make this format."""
        return {"kind": "vcf", **self._arguments}

    def write_part(self, path: Path, rows: Sequence[Row]) -> None:
        """Write the lines of one chunk."""
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(self._line(*row) + "\n" for row in rows)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Put header and parts end to end."""
        if self._is_bgzip:
            try:
                with _import_pysam().BGZFile(str(path), "wb") as target:
                    self._copy(parts, target)
            except OSError as error:
                if error.errno is not None:
                    raise
                # htslib says neither which file nor why; on a full disk that is all it says.
                raise OSError(
                    f"{path.name} cannot be written to its end ({error}); make room and run the "
                    "same again"
                ) from error
        else:
            with path.open("wb") as target:
                self._copy(parts, target)

    def _copy(self, parts: Sequence[Path], target: object) -> None:
        write = target.write  # type: ignore[attr-defined]
        write(self._header.encode())
        for part in parts:
            with part.open("rb") as source:
                while block := source.read(_COPY_BYTES):
                    write(block)

    def _line(
        self, line: str, columns: Sequence[Sequence[float | str | None]], reasons: Sequence[str]
    ) -> str:
        cells = line.split("\t")
        old = [
            item
            for item in cells[7].split(";")
            if item not in ("", ".") and item.split("=")[0] not in (*self._names, _SKIPPED)
        ]
        texts = [[reason.replace(",", "").replace(" ", "_") or None for reason in reasons]]
        new = []
        for name, values in zip([*self._names, _SKIPPED], [*columns, *texts], strict=True):
            written = [*map(_write, values)]
            if any(text != _MISSING_VALUE for text in written) and cells[4] != _MISSING_VALUE:
                new.append(f"{name}={','.join(written)}")
        cells[7] = ";".join([*old, *new]) or _MISSING_VALUE
        return "\t".join(cells)


def _write(value: float | str | None) -> str:
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return _MISSING_VALUE
    if isinstance(value, str):
        return _SPECIAL.sub(lambda found: f"%{ord(found[0]):02X}", value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def index_vcf(path: Path) -> None:
    """Write the index of a bgzip VCF beside it; one that is not sorted gets a warning.

    It is a .tbi, or a .csi where a position lies beyond 512 Mb, which .tbi does not reach.

    Args:
        path: The file.
    """
    pysam = _import_pysam()
    verbosity = pysam.set_verbosity(0)  # what it would print is said below, in a line
    indexes = {False: Path(f"{path}.tbi"), True: Path(f"{path}.csi")}
    try:
        for index in indexes.values():
            index.unlink(missing_ok=True)
        for is_csi, index in indexes.items():
            try:
                pysam.tabix_index(str(path), preset="vcf", force=True, csi=is_csi)
            except (OSError, ValueError):
                index.unlink(missing_ok=True)
            else:
                return
        logger.warning(
            "%s has no index, which needs records sorted by contig and position; sort it "
            "(bcftools sort) to have one",
            path,
        )
    finally:
        pysam.set_verbosity(verbosity)


def _import_pysam():  # type: ignore[no-untyped-def]
    try:
        import pysam
    except ImportError as error:
        raise ImportError(_MISSING) from error
    return pysam
