"""Plan of an analysis: which commands, in which order, with which files."""

import csv
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dnabert_hf.checkpoints import locate
from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.data.genome.regions import parse_region
from dnabert_hf.data.labelled.dataset import iterate_labelled
from dnabert_hf.data.reading.lines import text_lines
from dnabert_hf.files.atomic import write_text
from dnabert_hf.files.fingerprint import fingerprint_start
from dnabert_hf.workflows.analysis.steps import Step

__all__ = ["Analysis", "TopVariant", "kind_of", "place_of", "read_rows"]

logger = logging.getLogger(__name__)

_ANNOTATIONS = (".gtf", ".gff", ".gff3")
_INTERVALS = (".bed", ".bed6", ".narrowpeak", ".broadpeak")
_N_BEST = 4  # sequences whose mutation maps are drawn
_N_TOP = 3  # variants whose surroundings are mapped
_N_ATTENTION = 20  # of each side on the page of attention


class TopVariant(NamedTuple):
    """A strong variant and its surroundings.

    Attributes:
        contig: Name in the genome.
        start: First base of the surroundings (0-based).
        end: Base after the last.
        position: First base of REF in the surroundings (0-based).
        row: Its row in the table of effects.
    """

    contig: str
    start: int
    end: int
    position: int
    row: dict[str, str]

    @property
    def map_id(self) -> str:
        """Name the surroundings as `dnabert mutagenesis` does."""
        return f"{self.contig}:{self.start}-{self.end}(+)"


def kind_of(source: str | Path) -> str:
    """Tell by the name what a file holds: peaks, promoters or a labelled table.

    Example:
        >>> kind_of("ctcf.narrowPeak.gz"), kind_of("genes.gtf"), kind_of("labelled.tsv")
        ('peaks', 'promoters', 'table')
    """
    suffixes = [each.lower() for each in Path(source).suffixes if each not in (".gz", ".bgz")]
    last = suffixes[-1] if suffixes else ""
    return "promoters" if last in _ANNOTATIONS else "peaks" if last in _INTERVALS else "table"


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a table, a mapping a row; none of a file that is no text, such as Parquet."""
    if path.suffix == ".parquet":
        return []
    lines = (line for _, line in text_lines(path))
    delimiter = "," if ".csv" in path.suffixes else "\t"
    return list(csv.DictReader(lines, delimiter=delimiter))


@dataclass(frozen=True)
class Analysis:
    """What is analysed, and how.

    Attributes:
        source: Peaks (BED, narrowPeak), promoters (GTF, GFF3, BED) or a labelled table.
        folder: Folder to write.
        genome: FASTA files; none for a labelled table.
        kind: "peaks", "promoters" or "table".
        vcf: Variants to score.
        known: MEME file of known motifs.
        region: Where to scan, such as chr20:1000-51000 (0-based, half-open) or chr20.
        init: Checkpoint to start from.
        positive: Class of interest; None: as the names of the classes tell.
        test_contigs: Contigs of the test split; none: a tenth, similar sequences together.
        epochs: Epochs of the training; None: as `finetune` does.
        seed: Seed of the data set and of the training.

    Raises:
        ValueError: If something is missing that is asked for.
    """

    source: Path
    folder: Path
    genome: tuple[Path, ...] = ()
    kind: str = "table"
    vcf: Path | None = None
    known: Path | None = None
    region: str | None = None
    init: str = "dnabert-6-mini"
    positive: str | None = None
    test_contigs: tuple[str, ...] = ()
    epochs: float | None = None
    seed: int = 42

    def __post_init__(self) -> None:
        asked = {"peaks or promoters": self.kind != "table", "--vcf": self.vcf is not None}
        asked["--scan"] = self.region is not None
        for what, is_asked in asked.items():
            if is_asked and not self.genome:
                raise ValueError(f"{what} need the genome that they lie on: add --genome FASTA")
        if self.region is not None:
            parse_region(self.region, open_genome(self.genome))

    @property
    def data(self) -> Path:
        """Give the labelled table."""
        return self.source if self.kind == "table" else self.folder / "data.tsv"

    def steps(self) -> Iterator[Step]:
        """Give the commands in order; each is planned when those before are done."""
        folder, model, data = self.folder, self.folder / "model", self.data
        genome = [word for path in self.genome for word in ("--genome", str(path))]
        if self.kind != "table":
            yield self._dataset(genome)
        yield Step("check", ("dataset", "check", str(data)), (data,), allowed=(0, 1))
        yield self._finetune()
        if self.has_test():
            scores = folder / "scores.json"
            written = [scores]
            words = ["evaluate", str(model), str(data), "--split", "test", "-o", str(scores)]
            if self.config().get("problem_type") != "regression":
                written.append(folder / "calibration.png")
                words += ["--plot", str(written[-1])]
            yield Step("evaluate", tuple(words), (model, data), tuple(written))
        label = self.positive_class()
        if label is None:
            logger.warning(
                "there is no class of interest: motifs, maps, scan and variants are left out; with "
                "two classes, name one (--positive), with more, use the commands by themselves"
            )
            return
        yield from self._explain(label)
        if self.region is not None:
            yield self._scan(self.region)
        if self.vcf is not None:
            effects = folder / "variants.tsv"
            variants = ("variants", str(model), str(self.vcf), *genome, "-o", str(effects))
            yield Step("variants", variants, (model, self.vcf, *self.genome), (effects,))
            if strongest := self.top_variants(label):
                yield self._map_variants(strongest, label, genome)

    def _dataset(self, genome: list[str]) -> Step:
        words = ["dataset", self.kind, str(self.source), *genome]
        words += [word for name in self.test_contigs for word in ("--test-contig", name)]
        words += ["--seed", str(self.seed), "-o", str(self.data)]
        return Step("data", tuple(words), (self.source, *self.genome), (self.data,))

    def _finetune(self) -> Step:
        model = self.folder / "model"
        words = ["finetune", str(self.data), "--init", self.init]
        words += [] if self.epochs is None else ["--epochs", f"{self.epochs:g}"]
        words += [] if self.positive is None else ["--positive", self.positive]
        words += ["--seed", str(self.seed), "-o", str(model)]
        weights = fingerprint_start(locate(self.init))
        return Step("finetune", tuple(words), (self.data, weights), (model,))

    def _explain(self, label: str) -> Iterator[Step]:
        folder, model, data = self.folder, str(self.folder / "model"), str(self.data)
        both = ("--rc",) if self.config().get("both_strands") else ()
        known = () if self.known is None else ("--known", str(self.known))
        read = (model, data) if self.known is None else (model, data, self.known)
        motifs = folder / "motifs"
        words = ["motifs", model, data, *both, *known, "-o", str(motifs)]
        yield Step("motifs", tuple(words), read, (motifs,))
        best, shown = self._choose(label)
        scores, changes = folder / "attributions.parquet", folder / "mutations.tsv"
        words = ["attribute", model, str(best), "--method", "occlusion", "--label", label]
        yield Step("attribute", (*words, "-o", str(scores)), (model, best), (scores,))
        plot = folder / "mutations.png"
        words = ["mutagenesis", model, str(best), "--label", label, "-o", str(changes)]
        yield Step("mutagenesis", (*words, "--plot", str(plot)), (model, best), (changes,))
        page = folder / "attention"
        words = ["attention-report", model, str(shown), "-o", str(page)]
        yield Step("attention", tuple(words), (model, shown), (page,))

    def _scan(self, text: str) -> Step:
        folder, model = self.folder, self.folder / "model"
        genome = open_genome(self.genome)
        number, start, end = parse_region(text, genome)
        region = folder / "region.bed"
        write_text(f"{genome.contigs[number].name}\t{start}\t{end}\n", region)
        table, track, calls = (folder / f"scan.{end}" for end in ("tsv", "bedgraph", "bed"))
        words = ["scan", str(model), *map(str, self.genome), "--regions", str(region)]
        words += ["--step", str(max(1, self.config()["training_lengths"][1] // 4))]
        words += ["-o", str(table), "--track", str(track), "--calls", str(calls)]
        return Step("scan", tuple(words), (model, region, *self.genome), (table, track, calls))

    def _map_variants(self, strongest: Sequence[TopVariant], label: str, genome: list[str]) -> Step:
        """Map the surroundings of the strongest variants."""
        regions = self.folder / "top-variants.bed"
        write_text("".join(f"{v.contig}\t{v.start}\t{v.end}\n" for v in strongest), regions)
        model, changes = self.folder / "model", self.folder / "top-variants.tsv"
        words = ["mutagenesis", str(model), str(regions), *genome, "--label", label]
        words += ["-o", str(changes)]
        return Step("top", tuple(words), (model, regions, *self.genome), (changes,))

    def top_variants(self, label: str) -> list[TopVariant]:
        """Choose the variants whose surroundings are mapped, the strongest first."""
        genome = open_genome(self.genome)
        rows = [row for row in read_rows(self.folder / "variants.tsv") if row[f"diff_{label}"]]
        rows.sort(key=lambda row: -abs(float(row[f"diff_{label}"])))
        length, chosen = self.config()["training_lengths"][1], dict[str, TopVariant]()
        for row in rows:
            contig = genome.contig_names.find(row["contig"])
            at = int(row["position_1based"]) - 1
            if contig is None or len(chosen) == _N_TOP:
                continue
            start = max(0, min(at - (length - 1) // 2, genome.length(contig) - length))
            end = min(start + length, genome.length(contig))
            variant = TopVariant(contig, start, end, at - start, row)
            chosen.setdefault(variant.map_id, variant)
        return list(chosen.values())

    def _choose(self, label: str) -> tuple[Path, Path]:
        """Write the surest right ones of the class as FASTA, and some of either side as a table."""
        rows = self.sequences()
        predicted = read_rows(self.folder / "model" / "predictions.tsv")
        predicted.sort(key=lambda row: -float(row[f"prob_{label}"]))
        own = [row for row in predicted if row["true"] == label and row["id"] in rows]
        others = [row for row in predicted if row["true"] != label and row["id"] in rows]
        best, shown = self.folder / "best.fa", self.folder / "shown.tsv"
        records = [rows[row["id"]] for row in own[:_N_BEST]]
        write_text("".join(f">{name}\n{letters}\n" for name, letters in records), best)
        lines = ["id\tsequence\tlabel"] + [
            f"{row['id']}\t{rows[row['id']][1]}\t{row['true']}"
            for row in (*own[:_N_ATTENTION], *others[-_N_ATTENTION:])
        ]
        write_text("\n".join(lines) + "\n", shown)
        return best, shown

    def config(self) -> dict[str, Any]:
        """Read the configuration of the model that was trained."""
        content = json.loads((self.folder / "model" / "config.json").read_text(encoding="utf-8"))
        return dict(content)

    def positive_class(self) -> str | None:
        """Give the class of interest; None of models of values, of many classes and of bases."""
        config = self.config()
        if config.get("problem_type") != "single_label_classification":
            return None
        positive = config.get("positive")
        return None if positive is None else str(positive)

    def has_test(self) -> bool:
        """Tell whether the table has a test split."""
        return any(split == "test" for split, _, _ in iterate_labelled(self.data))

    def sequences(self) -> dict[str, tuple[str, str]]:
        """Read the table: by id, what a sequence is called (place on the genome or id) and is."""
        places = {row.get("id"): place_of(row) for row in read_rows(self.data)}
        records = (record for _, record, _ in iterate_labelled(self.data))
        return {each.id: (places.get(each.id, each.id), each.sequence) for each in records}


def place_of(row: dict[str, str]) -> str:
    """Name a row by its place on the genome, or else by its id.

    Example:
        >>> place_of({"id": "peak1", "contig": "chr1", "start": "10", "end": "20", "strand": "-"})
        'chr1:10-20(-)'
        >>> place_of({"id": "peak1"})
        'peak1'
    """
    if row.get("contig") and row.get("start") and row.get("end"):
        strand = "(-)" if row.get("strand") == "-" else ""
        return f"{row['contig']}:{row['start']}-{row['end']}{strand}"
    return os.fspath(row.get("id") or "sequence")
