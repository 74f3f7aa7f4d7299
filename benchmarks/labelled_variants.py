"""Labelled variants, ClinVar and a massively parallel assay, by `dnabert benchmark`.

    python benchmarks/labelled_variants.py DATA_FOLDER --model dnabert-6-mini

DATA_FOLDER is that of `benchmarks/mpra.py`. Writes a genome (the 512 bases around each ClinVar
variant and the regions of the assay as contigs), tables and a suite of kind `variants` to --folder,
runs it, and puts its report below what --output says already. ClinVar: pathogenic against benign.
Assay (Kircher et al. 2019): single bases with p < 1e-5 against those with p > 0.05, ten barcodes or
more, --each of either a region at most, drawn at random. What is scored stays in --folder.
"""

import argparse
import csv
import gzip
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from dnabert_hf.files.environment import command_line
from dnabert_hf.workflows.variant_benchmark.run import benchmark_variants
from dnabert_hf.workflows.variant_benchmark.suite import VariantSuite

PROMOTERS = "promoters/human_prom300_genomicneg.tsv.gz"
LEAST_BARCODES = 10
COLUMNS = ("contig", "position_1based", "ref", "alt", "label", "element", "from_middle", "barcodes")
SUITE = """kind: variants
title: Labelled variants
data:
  ClinVar, chr1 slice: {{path: clinvar.tsv, genome: clinvar.fa, match: [gc], ratio: 5}}
  saturation mutagenesis: {{path: mpra.tsv, genome: mpra.fa, match: [gc, from_middle, barcodes],
    group: element}}
models:
  {model}: {{init: {model}, window: 200}}
  5-mers of promoters: {{init: kmers, train: promoters.tsv, window: 200}}
  transversion: {{init: transversion}}
  change of CpG: {{init: cpg}}
  change of GC: {{init: gc}}
"""


def read_table(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def write(path: Path, rows: list[list[object]], contigs: dict[str, str]) -> None:
    lines = ["\t".join(COLUMNS), *("\t".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    fasta = "".join(f">{name}\n{dna}\n" for name, dna in contigs.items())
    path.with_suffix(".fa").write_text(fasta)


def write_clinvar(data: Path, folder: Path) -> None:
    rows, contigs = [], {}
    for row in read_table(data / "variants/clinvar_chr1_slice.tsv.gz"):
        contigs[row["vcv"]] = row["ref_window512"]
        place = [row["vcv"], int(row["offset0"]) + 1, row["ref"], row["alt"]]
        rows.append([*place, row["label"], "", 0, 0])
    write(folder / "clinvar.tsv", rows, contigs)


def write_assay(data: Path, folder: Path, each: int) -> None:
    regions = read_table(data / "variants/mpra_satmut_regions.tsv.gz")
    contigs = {row["element"]: row["sequence"] for row in regions}
    found = defaultdict(list)
    for row in read_table(data / "variants/mpra_satmut_variants.tsv.gz"):
        p_value = float(row["pvalue"])
        is_clear = p_value < 1e-5 or p_value > 0.05
        if row["type"] != "snv" or int(row["barcodes"]) < LEAST_BARCODES or not is_clear:
            continue
        offset, label = int(row["offset0"]), int(p_value < 1e-5)
        from_middle = abs(offset - len(contigs[row["element"]]) / 2)
        cells = [row["element"], offset + 1, row["ref"], row["alt"], label, row["element"]]
        found[row["element"], label].append([*cells, from_middle, row["barcodes"]])
    rng = np.random.default_rng(0)
    rows = [
        rows[index]
        for rows in found.values()
        for index in np.sort(rng.permutation(len(rows))[:each])
    ]
    write(folder / "mpra.tsv", rows, contigs)


def write_promoters(data: Path, folder: Path, n_rows: int) -> None:
    rows = [row for row in read_table(data / PROMOTERS) if row["split"] == "train"]
    chosen = np.random.default_rng(0).permutation(len(rows))[:n_rows]
    text = "".join(f"{rows[i]['sequence']}\t{rows[i]['label']}\ttrain\n" for i in chosen)
    (folder / "promoters.tsv").write_text("sequence\tlabel\tsplit\n" + text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="dnabert-6-mini", help="a masked language model")
    parser.add_argument("--each", type=int, default=150, help="variants of a label and region")
    parser.add_argument("--promoters", type=int, default=4000, help="sequences of the regression")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "labelled")
    parser.add_argument(
        "--output", type=Path, default=Path("benchmarks/results/labelled_variants.md")
    )
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    write_clinvar(options.data, folder)
    write_assay(options.data, folder, options.each)
    write_promoters(options.data, folder, options.promoters)
    (folder / "suite.yaml").write_text(SUITE.format(model=options.model))
    command_line.set(
        f"python benchmarks/labelled_variants.py DATA --model {options.model} --each "
        f"{options.each} --promoters {options.promoters}"
    )
    report = benchmark_variants(VariantSuite.read(folder / "suite.yaml"), folder / "benchmark")
    options.output.write_text(report.read_text())
    print(report.read_text())


if __name__ == "__main__":
    main()
