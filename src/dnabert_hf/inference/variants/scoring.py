"""Alleles scored, ranked among random changes and placed among genes, chunk by chunk."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from dnabert_hf.data.genome.genes import REGIONS, GeneIndex
from dnabert_hf.data.variants.alleles import Allele
from dnabert_hf.data.variants.vcf import VcfRecord, alleles_of
from dnabert_hf.data.variants.windows import WindowCutter
from dnabert_hf.inference.variants.allele_scores import JointScorer
from dnabert_hf.inference.variants.background import Background
from dnabert_hf.inference.variants.results import (
    NORMALIZED,
    AlleleResult,
    Column,
    allele_name,
)
from dnabert_hf.inference.variants.tally import LINES, NORMAL_FORM, PARTLY, SCORED, UNRANKED

__all__ = ["Scoring"]

_PERCENTILE = (
    "Percent of random changes of the same base in its trinucleotide with a smaller effect"
)
_GENE_COLUMNS = (
    Column("gene", "gene", "String", "Nearest gene"),
    Column(
        *("tss_distance", "tss_distance", "Integer"),
        "Bases from its nearest start site; less than 0 before it, as it is transcribed",
    ),
    Column("region", "region", "String", f"Part of the gene: {' '.join(REGIONS)}"),
)


@dataclass
class Scoring:
    """How alleles are scored, ranked and placed.

    Attributes:
        cutter: Cuts their windows, and counts those it cannot.
        scorer: Scores them.
        shifts: Bases by which further windows are shifted.
        genes: Finds their genes, if asked for.
        background: Ranks their effects, if asked for.
    """

    cutter: WindowCutter
    scorer: JointScorer
    shifts: Sequence[int]
    genes: GeneIndex | None
    background: Background | None = None

    def columns(self, *, has_percentiles: bool) -> list[Column]:
        """List the columns, in the order of the values of a result."""
        scorer = self.scorer
        scores = zip(scorer.names, scorer.fields, scorer.descriptions, strict=True)
        return [
            *(Column(name, field, "Float", text) for name, field, text in scores),
            *(
                Column(f"percentile{end}", f"percentile{end}", "Float", _PERCENTILE)
                for end in scorer.ends
                if has_percentiles
            ),
            NORMALIZED,
            *(_GENE_COLUMNS if self.genes else ()),
        ]

    def score(self, chunk: Sequence[VcfRecord]) -> tuple[list[list[AlleleResult]], dict[str, int]]:
        """Score the alleles of a chunk: their results by record, and how many there are of what."""
        alleles = [allele for record in chunk for allele in alleles_of(record)]
        cut = [self.cutter.cut_with_shifts(allele, self.shifts) for allele in alleles]
        windows = [each for each in cut if not isinstance(each, str)]
        scores = self.scorer.score(windows) if windows else np.empty((0, len(self.scorer.names)))
        tally = {LINES: len(chunk), SCORED: len(windows)}
        tally[PARTLY] = int(np.isnan(scores).any(axis=1).sum())
        if self.background is not None and windows:
            middle = [each[0][1] for each in windows]
            ranks = self.background.percentiles(middle, self.scorer.strengths(scores))
            tally[UNRANKED] = int(np.isnan(ranks).any(axis=1).sum())
            scores = np.concatenate([scores, ranks], axis=1)
        numbers = iter(scores.tolist())
        n_numbers = len(self.scorer.names) + len(self.scorer.ends) * (self.background is not None)
        results: list[AlleleResult] = []
        values: list[float | int | str | None]
        tally[NORMAL_FORM] = 0
        for allele, each in zip(alleles, cut, strict=True):
            if isinstance(each, str):
                values = [*[None] * n_numbers, None, *self._place(allele)]
                results.append(AlleleResult(values, each))
            else:
                normal = each[0][1].allele
                values = [*next(numbers), allele_name(normal), *self._place(normal)]
                results.append(AlleleResult(values))
                tally[NORMAL_FORM] += normal != allele
        of_record = iter(results)
        return [list(islice(of_record, len(record.alts))) for record in chunk], tally

    def _place(self, allele: Allele) -> Sequence[str | int | None]:
        """Find the gene of an allele: values of its columns."""
        if self.genes is None:
            return ()
        contig = self.cutter.contig_of(allele.contig)
        place = contig and self.genes.find(contig, *allele.changed_bases())
        return place or (None,) * len(_GENE_COLUMNS)
