"""Motifs that fine-tuned models attend to in real ChIP-seq sets, beside the factor's own matrix.

    python benchmarks/motifs_on_chip_seq.py DATA [--models FOLDER] [--model-init dnabert-6-mini]

DATA holds tf/deepbind_*_101.tsv.gz (sequence, label, split, id) and a JASPAR file in MEME format
under motifs/. For each set a model is fine-tuned on 4,000 labels (3 epochs, learning rate 1e-3),
unless FOLDER has it from before; motifs are looked for in the 1,000 sequences of the test split,
which no model has seen, on both strands, and compared with all of JASPAR.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sklearn.metrics import matthews_corrcoef

from dnabert_hf import MotifSettings, attention_scores, find_motifs, finetune, read_records
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.interpretation.attribution.attribution import attribution_scores
from dnabert_hf.interpretation.motifs.files import KnownMotif, read_meme
from dnabert_hf.interpretation.motifs.results import MotifMatch
from dnabert_hf.interpretation.motifs.tomtom import compare_motifs

# Set, the factor's matrices, and factors of the same family, whose motif is the same.
SETS = {
    "CTCFL_K562": (("CTCFL", "CTCF"), ()),
    "USF1_HepG2": (("USF1",), ("USF2", "TFEC", "TFE3", "TFEB", "MITF", "BHLHE41", "CBF1")),
    "REST_GM12878": (("REST",), ()),
    "GABPA_GM12878": (("GABPA",), ("ELK1", "ELK4", "ETV1", "ETS1", "ELF1", "FLI1", "ERF")),
    "SP1_GM12878": (("SP1",), ("SP2", "SP3", "SP4", "KLF5", "KLF15", "SP9", "SP8", "SP5")),
}
SIZES = {"train": 4000, "dev": 600, "test": 1000}


def choose_records(path: Path) -> list[SequenceRecord]:
    """Take some thousand records of each split, the same ones each time."""
    records = list(read_records(path))
    random.Random(0).shuffle(records)
    left = dict(SIZES)
    chosen = []
    for record in records:
        if left.get(record.split or "", 0):
            left[record.split or ""] -= 1
            chosen.append(record)
    return chosen


def write_table(records: Sequence[SequenceRecord], path: Path) -> None:
    """Write records as the table that `finetune` reads."""
    lines = ["sequence\tlabel\tsplit\tid\n"]
    lines += [f"{each.sequence}\t{each.label}\t{each.split}\t{each.id}\n" for each in records]
    path.write_text("".join(lines))


def describe(matches: Sequence[MotifMatch], name: str, wanted: Sequence[str]) -> str:
    """Give the best match of a motif, and that with the factor's own matrix."""
    own = [match for match in matches if match.motif == name]
    if not own:
        return f"{'-':<22}{'-':<22}"
    of_factor = next((match for match in own if match.known_name.upper() in wanted), None)
    best = f"{own[0].known_name} {own[0].q_value:.1e}"
    mine = "-" if of_factor is None else f"{of_factor.known_name} {of_factor.q_value:.1e}"
    return f"{best:<22}{mine:<22}"


def run(
    name: str, data: Path, models: Path, known: Sequence[KnownMotif], options: argparse.Namespace
) -> bool:
    """Fine-tune (or take) a model, search, print; whether the top motif matches its factor."""
    factor, family = SETS[name]
    records = choose_records(data / "tf" / f"deepbind_{name}_101.tsv.gz")
    model = models / name
    if not (model / "config.json").is_file():
        write_table(records, models / f"{name}.tsv")
        finetune(
            options.model_init,
            models / f"{name}.tsv",
            output_dir=model,
            task="tf",
            arguments={"num_train_epochs": 3, "learning_rate": 1e-3},
            overwrite=True,
        )
    test = [record for record in records if record.split == "test"]
    for score in options.scores:
        begin = time.process_time()
        if score == "attention":
            scored = attention_scores(model, test)
        else:
            scored = attribution_scores(model, test, method=score, label="1")
        predicted = [each.probabilities["1"] >= 0.5 for each in scored]
        mcc = matthews_corrcoef([record.label == "1" for record in test], predicted)
        found = find_motifs(scored, test, settings=MotifSettings(both_strands=True))
        matches = compare_motifs(found.motifs[:1], known)
        top = found.motifs[0] if found.motifs else None
        is_own = any(match.known_name.upper() in factor for match in matches)
        is_family = is_own or any(match.known_name.upper() in family for match in matches[:3])
        print(
            f"{name:<15}{mcc:>6.3f}  {score:<22}"
            f"{top.matrix.consensus if top else '(none)':<26}"
            f"{len(top.sites) if top else 0:>6}  "
            f"{describe(matches, top.name, factor) if top else '':<44}"
            f"{'yes' if is_own else 'family' if is_family else 'no':<8}"
            f"{time.process_time() - begin:>4.0f} s",
            flush=True,
        )
    return is_own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path, help="where models are kept")
    parser.add_argument("--model-init", default="dnabert-6-mini")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--scores", nargs="+", default=["attention", "gradient_x_input"])
    options = parser.parse_args()
    known = read_meme(options.data / "motifs" / "jaspar2022_core_nonredundant.meme.gz")
    print(
        f"{'set':<15}{'MCC':>6}  {'score':<22}{'top motif':<26}{'sites':>6}  "
        f"{'best match, q':<22}{'factor, q':<22}is it?"
    )
    with tempfile.TemporaryDirectory() as scratch:
        models = options.models or Path(scratch)
        models.mkdir(parents=True, exist_ok=True)
        hits = [run(name, options.data, models, known, options) for name in options.sets]
    print(f"\n{sum(hits)} of {len(hits)} with {options.scores[-1]}")


if __name__ == "__main__":
    main()
