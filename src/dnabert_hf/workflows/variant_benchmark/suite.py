"""Suites of variants: labelled variants and the models that score them, from YAML."""

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.reading.lines import text_lines
from dnabert_hf.data.variants.alleles import Allele
from dnabert_hf.files.yaml import read_mapping
from dnabert_hf.training.benchmark.suite import slug
from dnabert_hf.training.shared.names import check_names

__all__ = [
    "BASELINES",
    "GC",
    "KMERS",
    "LabelledVariants",
    "VariantData",
    "VariantModel",
    "VariantSuite",
    "gc_around",
    "read_variants",
]

KMERS = "kmers"
BASELINES = ("transversion", "cpg", "gc")  # that need no training
GC = "gc"
_COLUMNS = ("contig", "position_1based", "ref", "alt")
_SUITE_FIELDS = ("kind", "title", "data", "models", "seed")
_DATA_FIELDS = ("path", "genome", "label", "group", "match", "ratio", "annotation")
_MODEL_FIELDS = ("init", "window", "label", "train", "k")


@dataclass(frozen=True)
class VariantData:
    """Labelled variants of a benchmark.

    Attributes:
        path: Table, divided by tabs, with contig, position_1based, ref, alt and the columns below.
        genome: FASTA file that they lie on.
        label: Column of 1 (positive) and 0; rows of other values are left out and counted.
        group: Column by whose values scores are told, too; "" for none.
        match: Columns of numbers that negatives are matched by; `gc` of the 101 bases around, and
            with an annotation `tss_distance` (without sign), need not be in the table.
        ratio: Matched negatives of each positive.
        annotation: GTF or GFF3, which adds `region` (to group by) and `tss_distance`.
    """

    path: Path
    genome: Path
    label: str = "label"
    group: str = ""
    match: tuple[str, ...] = ()
    ratio: int = 1
    annotation: Path | None = None


@dataclass(frozen=True)
class VariantModel:
    """A model of a benchmark, or a baseline.

    Attributes:
        name: What the report calls it.
        init: Checkpoint, "kmers" (regression on k-mer counts of labelled sequences), or one of
            `BASELINES`.
        window: Bases around a variant; None for those that a classifier was trained on.
        label: Class to score, None for the class of interest.
        train: Labelled sequences of the regression.
        k: Its bases per k-mer.
    """

    name: str
    init: str
    window: int | None = None
    label: str | None = None
    train: Path | None = None
    k: int = 5


@dataclass(frozen=True)
class LabelledVariants:
    """Variants of a data set that have a label.

    Attributes:
        alleles: The alleles.
        is_positive: Whether each is positive, shape (variants,).
        columns: Cells of the table by column.
        left_out: Rows with another label, by label.
    """

    alleles: list[Allele]
    is_positive: np.ndarray
    columns: dict[str, list[str]]
    left_out: dict[str, int]


@dataclass(frozen=True)
class VariantSuite:
    """A benchmark of variants.

    Attributes:
        title: Heading of the report.
        data: The data sets by name.
        models: The models.
        seed: Seed of the matching.
    """

    title: str
    data: Mapping[str, VariantData]
    models: tuple[VariantModel, ...]
    seed: int = 0

    @classmethod
    def read(cls, file: Path, *, data_folder: Path | None = None) -> "VariantSuite":
        """Read a suite of kind `variants`.

        Args:
            file: The YAML file.
            data_folder: Where relative paths begin; by default the folder of the file.

        Raises:
            ValueError: If a field is missing, not known or of the wrong kind, or a file is not
                there.
        """
        content = read_mapping(file, fields="fields such as data and models")
        check_names(content, _SUITE_FIELDS, f"fields of {file}")
        for name in ("data", "models"):
            if not isinstance(content.get(name), dict) or not content[name]:
                raise ValueError(
                    f"{file}: {name} must be a mapping with an entry for each, found "
                    f"{content.get(name)!r}"
                )
        root = file.parent if data_folder is None else data_folder
        data = {str(n): _data(file, str(n), e, root) for n, e in content["data"].items()}
        models = tuple(_model(file, str(n), e, root) for n, e in content["models"].items())
        for names in (list(data), [model.name for model in models]):
            if len({slug(name) for name in names}) < len(names):
                raise ValueError(f"{file}: names must differ in letters and digits, got {names}")
        title, seed = str(content.get("title", file.stem)), content.get("seed", 0)
        return cls(title, data, models, _number(file, "seed", seed, 0))


def _data(file: Path, name: str, entry: Any, root: Path) -> VariantData:
    title = f"the data set {name!r} in {file}"
    if not isinstance(entry, dict) or not {"path", "genome"} <= entry.keys():
        raise ValueError(f"{title} must name a path and a genome, found {entry!r}")
    check_names(entry, _DATA_FIELDS, f"fields of {title}")
    match = entry.get("match", [])
    annotation = entry.get("annotation")
    return VariantData(
        path=_file(title, root, entry["path"]),
        genome=_file(title, root, entry["genome"]),
        label=str(entry.get("label", "label")),
        group=str(entry.get("group", "region" if annotation else "")),
        match=tuple(map(str, match if isinstance(match, list) else [match])),
        ratio=_number(file, f"ratio of {name!r}", entry.get("ratio", 1), 1),
        annotation=None if annotation is None else _file(title, root, annotation),
    )


def _model(file: Path, name: str, entry: Any, root: Path) -> VariantModel:
    title = f"the model {name!r} in {file}"
    if not isinstance(entry, dict) or not isinstance(entry.get("init"), str):
        raise ValueError(
            f"{title} must say what it is, such as init: dnabert-6-mini, {KMERS} or "
            f"{', '.join(BASELINES)}, found {entry!r}"
        )
    check_names(entry, _MODEL_FIELDS, f"fields of {title}")
    if (entry["init"] == KMERS) != ("train" in entry):
        raise ValueError(f"{title}: init: {KMERS}, and it alone, must name sequences to train on")
    window = entry.get("window")
    beside = root / entry["init"]
    return VariantModel(
        name=name,
        init=str(beside) if beside.is_dir() else entry["init"],
        window=None if window is None else _number(file, f"window of {name!r}", window, 3),
        label=entry.get("label"),
        train=_file(title, root, entry["train"]) if "train" in entry else None,
        k=_number(file, f"k of {name!r}", entry.get("k", 5), 1),
    )


def _file(title: str, root: Path, value: Any) -> Path:
    path = root / str(value)
    if not path.is_file():
        raise ValueError(f"{title} must name files, found none at {path}; correct it (or --data)")
    return path


def _number(file: Path, name: str, value: Any, least: int) -> int:
    if type(value) is not int or value < least:
        raise ValueError(f"{file}: {name} must be a whole number from {least} on, found {value!r}")
    return value


def read_variants(entry: VariantData) -> LabelledVariants:
    """Read the labelled variants of a data set.

    Raises:
        ValueError: If a column is missing, a position is no number, or a class has no variants.
    """
    lines = (line for _, line in text_lines(entry.path))
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    derived = {GC} | ({"region", "tss_distance"} if entry.annotation else set())
    wanted = [*_COLUMNS, entry.label, *({*entry.match, entry.group} - derived - {""})]
    missing = [name for name in wanted if name not in (rows.fieldnames or ())]
    if missing:
        raise ValueError(
            f"{entry.path} must have the columns {', '.join(wanted)}, found none called "
            f"{', '.join(missing)} among {', '.join(rows.fieldnames or ())[:200]}; rename them"
        )
    alleles, labels = [], []
    columns: dict[str, list[str]] = {name: [] for name in wanted}
    left_out: Counter[str] = Counter()
    for row in rows:
        if row[entry.label] not in ("0", "1"):
            left_out[row[entry.label]] += 1
            continue
        position = row["position_1based"]
        if not position.isdecimal():
            raise ValueError(
                f"{entry.path}, line {rows.line_num}: position_1based must be a whole number, "
                f"found {position!r}; correct it"
            )
        alleles.append(Allele(row["contig"], int(position) - 1, row["ref"], row["alt"]))
        labels.append(row[entry.label] == "1")
        for name in wanted:
            columns[name].append(row[name] or "")
    if len({*labels}) < 2:
        raise ValueError(
            f"{entry.path} must have rows with {entry.label} 1 and rows with 0, found "
            f"{len(labels)} of one and {sum(left_out.values())} of neither"
        )
    return LabelledVariants(alleles, np.array(labels), columns, dict(left_out))


def gc_around(alleles: list[Allele], genome: Genome) -> np.ndarray:
    """Give the share of G and C among the 101 bases around each variant, shape (variants,)."""
    shares = []
    for allele in alleles:
        contig = genome.contig_names.find(allele.contig)
        start = max(allele.start - 50, 0)
        end = 0 if contig is None else min(allele.start + 51, genome.length(contig))
        dna = "" if contig is None or start >= end else genome.sequence(contig, start, end)
        shares.append(sum(map(dna.count, "GC")) / max(len(dna), 1))
    return np.array(shares)
