"""What is computed once though it is asked for several times: windows, asked for and encoded.

    python benchmarks/shared_windows.py

A window is asked for whenever a result depends on it: once for each allele, strand, shift and
score. It is encoded when it goes through the model. What counts is not time: a tiny model does.
"""

import logging
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from inference_scale import save_model

from dnabert_hf import (
    DNABertConfig,
    DNABertForMaskedLM,
    DNABertTokenizer,
    attention_scores,
    mutagenesis,
    open_genome,
    predict,
    scan,
    score_variants,
)
from dnabert_hf.inference.engine.engine import Engine

_RUNS = {"dtype": "float32", "device": "cpu"}
_LENGTH, _WINDOW, _STEP = 20_000, 64, 16


def count(work: Callable[[], object]) -> Counter[object]:
    """Count the windows that go through the model while something is done."""
    encoded: Counter[object] = Counter()
    tokenize = Engine.tokenize

    def note(self: Engine, windows: list[object]) -> object:
        encoded.update(windows)
        return tokenize(self, windows)

    Engine.tokenize = note
    try:
        work()
    finally:
        Engine.tokenize = tokenize
    return encoded


def save_masked_lm(folder: Path) -> str:
    """Save a masked language model with random weights, and its tokenizer."""
    config = DNABertConfig(k=3, hidden_size=16, num_hidden_layers=1, num_attention_heads=1,
                           intermediate_size=64)  # fmt: skip
    DNABertForMaskedLM(config).save_pretrained(folder / "masked")
    DNABertTokenizer(k=3).save_pretrained(folder / "masked")
    return str(folder / "masked")


def write_sites(path: Path, contig: str, n_sites: int, *, as_lines: bool) -> None:
    """Write all three changes of some sites, as alleles of a line or as lines of their own."""
    rows = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    for start in range(200, 200 + 100 * n_sites, 100):
        ref = contig[start]
        others = [base for base in "ACGT" if base != ref]
        for alt in others if as_lines else [",".join(others)]:
            rows.append(f"a\t{start + 1}\t.\t{ref}\t{alt}\t.\t.\t.")
    path.write_text("\n".join(rows) + "\n")


def main() -> None:
    logging.disable(logging.WARNING)
    rng = random.Random(0)
    dna = "".join(rng.choices("ACGT", k=_LENGTH))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, masked = save_model(folder, "tiny"), save_masked_lm(folder)
        genomes = {}
        for kind, contig in (("random", dna), ("repeat", "TTAGGG" * (_LENGTH // 6))):
            (folder / f"{kind}.fa").write_text(f">a\n{contig}\n")
            genomes[kind] = open_genome(folder / f"{kind}.fa", cache_dir=folder)
        n_sites = 100
        for as_lines in (False, True):
            write_sites(folder / f"{as_lines}.vcf", dna, n_sites, as_lines=as_lines)
        outputs = (folder / f"{i}.parquet" for i in range(100))

        def scanned(kind: str, step: int, **options: object) -> Callable[[], object]:
            return lambda: scan(model, genomes[kind], output=next(outputs), window=_WINDOW,
                                step=step, **options, **_RUNS)  # fmt: skip

        def scored(name: str, checkpoint: str, **options: object) -> Callable[[], object]:
            return lambda: score_variants(checkpoint, folder / name, genomes["random"],
                                          output=next(outputs), window=_WINDOW, **options,
                                          **_RUNS)  # fmt: skip

        def mapped(checkpoint: str, **options: object) -> Callable[[], object]:
            return lambda: mutagenesis(checkpoint, [dna[:300]], output=next(outputs), **options,
                                       **_RUNS)  # fmt: skip

        reads = rng.choices([dna[i : i + 50] for i in range(1000)], k=2000)
        sequences = [dna[i : i + 100] for i in range(0, 10_000, 100)]
        n_windows = (_LENGTH - _WINDOW) // _STEP + 1
        n_repeat = (_LENGTH // 6 * 6 - _WINDOW) // 24 + 1
        works = {
            "scan, random contig": (n_windows, scanned("random", _STEP)),
            "scan, both strands": (2 * n_windows, scanned("random", _STEP, both_strands=True)),
            "scan, telomere repeat, step 24": (n_repeat, scanned("repeat", 24)),
            "variants, 3 alleles a line": (6 * n_sites, scored("False.vcf", model)),
            "variants, an allele a line": (6 * n_sites, scored("True.vcf", model)),
            "the same, both strands, 4 shifts": (
                6 * n_sites * 2 * 9,
                scored("True.vcf", model, both_strands=True, shifts=4),
            ),
            "the same, masked language model": (9 * n_sites, scored("True.vcf", masked)),
            "mutagenesis, 300 bases": (2 * 900, mapped(model)),
            "the same, deletions and insertions": (
                2 * 8 * 300,
                mapped(model, deletions=True, insertions=True),
            ),
            "mutagenesis, masked language model": (900, mapped(masked)),
            "predict, 2,000 reads of 1,000": (2000, lambda: predict(model, reads, **_RUNS)),
            "attention with the prediction": (
                200,
                lambda: attention_scores(model, sequences, **_RUNS),
            ),
        }
        print("| work | windows asked for | encoded | of these, again |")
        print("|---|---|---|---|")
        for name, (n_asked, work) in works.items():
            encoded = count(work)
            again = encoded.total() - len(encoded)
            print(f"| {name} | {n_asked:,} | {encoded.total():,} | {again:,} |")


if __name__ == "__main__":
    main()
