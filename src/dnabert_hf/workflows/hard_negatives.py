"""Hard-negative mining: train, scan a genome, add the false positives as negatives, repeat."""

import csv
import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnabert_hf.cards.finetuned import finetuning_card
from dnabert_hf.checkpoints import locate
from dnabert_hf.data.building.window_grid import WindowGrid
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.labelled.dataset import iterate_labelled
from dnabert_hf.data.labelled.labels import infer_labels
from dnabert_hf.data.labelled.positive_class import known_positive
from dnabert_hf.data.labelled.similarity_split import group_similar
from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.files.atomic import open_table, write_json, write_text
from dnabert_hf.files.counts import counted
from dnabert_hf.files.fingerprint import fingerprint_start
from dnabert_hf.inference.genome_scan.scan import scan
from dnabert_hf.training.finetuning.finetune import finetune
from dnabert_hf.training.shared.run_folder import RunFolder
from dnabert_hf.training.tasks.presets import GENERIC, find_task

__all__ = ["MiningRound", "finetune_with_hard_negatives"]

logger = logging.getLogger(__name__)

_RECALL = 0.9
_TABLE = "hard_negatives.tsv"
_COLUMNS = ("id", "sequence", "label", "split")


@dataclass(frozen=True)
class MiningRound:
    """Result of one round, on windows of contigs that none was mined from.

    Attributes:
        hard_negatives: False positives among its training sequences.
        windows: Windows of the held-out contigs that were scored.
        false_positive_rate: Share of them that the model calls, with a probability of 0.5 or more.
        false_positive_rate_at_recall: The same at the threshold that finds 90 % of the positives.
        recall: Share of the positives of the test split (or of validation, without one) with a
            probability of 0.5 or more.
        auprc: Average precision of these positives among the windows.
        mcc: On the test (or validation) split itself.
    """

    hard_negatives: int
    windows: int
    false_positive_rate: float
    false_positive_rate_at_recall: float
    recall: float
    auprc: float
    mcc: float

    def summary(self) -> str:
        """Write the measures as a line of a log."""
        windows = counted(self.windows, "held-out window")
        return (
            f"{counted(self.hard_negatives, 'hard negative')}, calls "
            f"{self.false_positive_rate:.2%} of {windows} "
            f"({self.false_positive_rate_at_recall:.2%} at 90 % "
            f"recall), recall {self.recall:.2f}, AUPRC {self.auprc:.3f}, MCC {self.mcc:.3f}"
        )


@dataclass(frozen=True)
class _Data:
    """Sequences of one length, by split, and what they are looked for in."""

    rows: list[tuple[str, SequenceRecord]]
    length: int
    negative: str
    classes: tuple[str, ...]

    def sequences_to_avoid(self) -> list[str]:
        """List what no hard negative may be like: positives, and all that is scored."""
        return [
            record.sequence
            for split, record in self.rows
            if split != "train" or record.label != self.negative
        ]

    def fingerprint(self) -> str:
        """Hash the sequences, their labels and splits, whatever file they come from."""
        rows = [[split, r.id, r.sequence, r.label] for split, r in self.rows]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]

    def n_positives(self) -> int:
        return sum(s == "train" and r.label != self.negative for s, r in self.rows)


def finetune_with_hard_negatives(
    model: str | Path,
    data: str | Path | Mapping[str, str | Path],
    genome: Genome,
    *,
    output_dir: str | Path,
    held_out: Sequence[str],
    rounds: int = 3,
    negative: str | None = None,
    sites: Sequence[Interval] | None = None,
    windows: int = 20_000,
    columns: Columns | None = None,
    resume: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> list[MiningRound]:
    """Fine-tune with negatives that earlier rounds took for positives (Ji et al. 2021, splicing).

    A first model learns the data as they are. In each round the model scans new windows of the
    genome; those it calls are added to the training sequences as negatives, at most as many as
    there are positives, and a new model learns them all from the same start. Windows lie side by
    side outside of the held-out contigs, at least 1,000 bases from every known site; those like a
    positive, or like a sequence of validation or test, are not taken. Every model is measured on
    the same windows of the held-out contigs. The folder receives what `finetune` writes for the
    last model, with the rounds in `metrics.json`, and `hard_negatives.tsv`. Until then the rounds
    lie in a folder of the same name with `.rounds` behind it, from which a run that was stopped
    goes on.

    Args:
        model: As in `finetune`.
        data: As in `finetune`: sequences of one length with one class each.
        genome: Genome to search for false positives.
        output_dir: Folder to write.
        held_out: Contigs on which the models are measured.
        rounds: How often false positives are added.
        negative: Class of the negatives; by default, of two, the one that is not the class of
            interest (`positive`, or what the names tell).
        sites: Known sites. Without them, a window that happens to hold one counts as a negative.
        windows: Windows to scan in a round, and to measure on, at most.
        columns: Names of the table's columns.
        resume: Go on with a run that was stopped; begin if there is none.
        overwrite: Replace what an earlier run left in the folder.
        **options: Other options of `finetune`.

    Returns:
        What the model of each round does, the first one without hard negatives.

    Raises:
        ValueError: As in `finetune` and `scan`, or if the data have several lengths, a contig is
            not in the genome, or there is no room for windows.
        KeyboardInterrupt: If it is stopped, with a message that says how to go on.
    """
    if rounds < 1 or windows < 1:
        raise ValueError(f"rounds and windows must be 1 or more, got {rounds} and {windows}")
    table = _read(data, columns, negative=negative, positive=options.get("positive"))
    if len(table.classes) == 2:
        (options["positive"],) = [name for name in table.classes if name != table.negative]
    logger.info("false positives become training sequences of class %s", table.negative)
    seed = int((options.get("arguments") or {}).get("seed", 42))
    grid = WindowGrid(genome, held_out, sites, table.length)
    folder, stage = _prepare(
        Path(output_dir),
        {
            "model": str(model),
            "data": str(data),
            "genome": genome.fingerprint,
            "held_out": list(held_out),
            "sites": None if sites is None else [list(site) for site in sites],
            "windows": windows,
            "options": {name: str(value) for name, value in options.items()},
            "inputs": {
                "rows": table.fingerprint(),
                "weights": fingerprint_start(locate(model)),
                "task": find_task(options.get("task", GENERIC)).fingerprint(),
            },
        },
        resume=resume,
        overwrite=overwrite,
    )
    mined: list[list[str]] = []
    measured: list[MiningRound] = []
    measured_on = grid.draw(windows, is_held_out=True, seed=[seed])
    for number in range(rounds + 1):
        run = stage / f"round-{number}"
        training = _write_rows(table, mined, stage / f"round-{number}.tsv")
        if not (run / "metrics.json").exists():
            finetune(model, training, output_dir=run, resume=True, **options)
        probabilities = _scan(run, genome, stage / f"held-out-{number}.parquet", table, measured_on)
        measured.append(_measure(run, probabilities[1], table, len(mined)))
        logger.info("round %d of %d: %s", number, rounds, measured[-1].summary())
        if number < rounds:
            drawn = grid.draw(windows, is_held_out=False, seed=[seed, number])
            scanned = _scan(run, genome, stage / f"scan-{number}.parquet", table, drawn)
            mined += _choose(genome, *scanned, table, mined, np.random.default_rng([seed, number]))
    _finish(run, folder.path, str(data), mined, measured, negative=table.negative)
    shutil.rmtree(stage)
    return measured


def _read(
    data: Any, columns: Columns | None, *, negative: str | None, positive: str | None
) -> _Data:
    rows = [(split, record) for split, record, _ in iterate_labelled(data, columns=columns)]
    scheme = infer_labels(record.label or "" for split, record in rows if split == "train")
    lengths = {len(record.sequence) for _, record in rows}
    if scheme.problem_type != "single_label_classification" or any(r.sequence_b for _, r in rows):
        raise ValueError(
            f"{data}: hard negatives are for single sequences of one class each, found "
            f"{scheme.problem_type.replace('_', ' ')} or pairs; leave them out"
        )
    if len(lengths) > 1:
        raise ValueError(
            f"{data}: hard negatives are windows of the length of the sequences, which must be "
            f"one, found {min(lengths)} to {max(lengths)} bases; cut them alike"
        )
    if negative is None and len(scheme.names) > 2:
        raise ValueError(
            f"of {len(scheme.names)} classes the one of the negatives must be named "
            f"(--negative), one of {', '.join(scheme.names)}"
        )
    if negative is None:
        known = known_positive(scheme, positive)
        if known is None:
            # A guess would write windows of the genome into the wrong class.
            raise ValueError(
                f"which of {' and '.join(scheme.names)} is looked for is not known, and hard "
                "negatives become training sequences of the other: name it (--positive) or the "
                "class of the negatives (--negative)"
            )
        (negative,) = [name for name in scheme.names if name != known]
    if negative not in scheme.names:
        raise ValueError(f"the class must be one of {', '.join(scheme.names)}, got {negative!r}")
    return _Data(rows, lengths.pop(), negative, scheme.names)


def _prepare(
    path: Path, settings: Mapping[str, Any], *, resume: bool, overwrite: bool
) -> tuple[RunFolder, Path]:
    folder = RunFolder(path)
    folder.check({}, resume=resume, overwrite=overwrite)
    stage = RunFolder(path.with_name(f"{path.name}.rounds"))
    stage.check(settings, resume=resume, overwrite=overwrite)
    if overwrite and stage.path.exists():
        shutil.rmtree(stage.path)
    stage.begin(settings, is_new=not resume)
    return folder, stage.path


def _write_rows(table: _Data, mined: Sequence[Sequence[str]], path: Path) -> Path:
    with open_table(path) as write_row:
        write_row(_COLUMNS)
        for split, record in table.rows:
            write_row([record.id, record.sequence, record.label, split])
        for row in mined:
            write_row([*row[:2], table.negative, "train"])
    return path


def _scan(
    run: Path, genome: Genome, path: Path, table: _Data, windows: Sequence[Interval]
) -> tuple[list[tuple[str, int]], np.ndarray]:
    """Give the windows and the probability that each is a site, from a scan or its file."""
    from pyarrow import parquet

    if not path.exists():
        length = table.length
        scan(run, genome, output=path, window=length, step=length, regions=windows)
    columns = parquet.read_table(path).to_pydict()
    scanned = list(zip(columns["contig"], columns["start"], strict=True))
    return scanned, 1 - np.array(columns[f"prob_{table.negative}"])


def _measure(run: Path, of_windows: np.ndarray, table: _Data, n_mined: int) -> MiningRound:
    from sklearn.metrics import average_precision_score

    report = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    with (run / "predictions.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        found = np.array(
            [1 - float(r[f"prob_{table.negative}"]) for r in rows if r["true"] != table.negative]
        )
    threshold = np.quantile(found, 1 - _RECALL, method="lower")
    is_site = np.repeat([1, 0], [len(found), len(of_windows)])
    return MiningRound(
        hard_negatives=n_mined,
        windows=len(of_windows),
        false_positive_rate=float((of_windows >= 0.5).mean()),
        false_positive_rate_at_recall=float((of_windows >= threshold).mean()),
        recall=float((found >= 0.5).mean()),
        auprc=float(average_precision_score(is_site, np.concatenate([found, of_windows]))),
        mcc=float(report["scores"][report["predictions"]].get("mcc", 0.0)),
    )


def _choose(
    genome: Genome,
    scanned: Sequence[tuple[str, int]],
    probabilities: np.ndarray,
    table: _Data,
    mined: Sequence[Sequence[str]],
    generator: np.random.Generator,
) -> list[list[str]]:
    """Draw from the windows that the model calls, without those like what is scored or found."""
    called = generator.permutation(np.flatnonzero(probabilities >= 0.5)).tolist()
    sequences = [
        genome.sequence(contig, start, start + table.length)
        for contig, start in (scanned[i] for i in called)
    ]
    avoided = [*table.sequences_to_avoid(), *(row[1] for row in mined)]
    groups = group_similar([*avoided, *sequences])
    is_new = ~np.isin(groups[len(avoided) :], groups[: len(avoided)])
    chosen: list[list[str]] = []
    for index, sequence, is_wanted in zip(called, sequences, is_new, strict=True):
        contig, start = scanned[index]
        if is_wanted and len(chosen) < table.n_positives():
            name = f"{contig}:{start}-{start + table.length}"
            chosen.append([name, sequence, contig, str(start), f"{probabilities[index]:.4f}"])
    return chosen


def _finish(
    run: Path,
    folder: Path,
    data: str,
    mined: Sequence[Sequence[str]],
    measured: Sequence[MiningRound],
    *,
    negative: str,
) -> None:
    """Move the last model to its place, with a report that tells of all rounds."""
    report = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    report |= {
        "data": data,
        "hard_negatives": [asdict(each) for each in measured],
        "class_of_hard_negatives": negative,
    }
    card = finetuning_card(report, name=folder.resolve().name)
    write_text(card, run / "README.md")
    with open_table(run / _TABLE) as write_row:
        write_row(["id", "sequence", "label", "contig", "start", "probability"])
        for row in mined:
            write_row([*row[:2], negative, *row[2:]])
    (run / "metrics.json").unlink()
    folder.mkdir(parents=True, exist_ok=True)
    for file_path in sorted(run.iterdir()):
        file_path.replace(folder / file_path.name)
    write_json(report, folder / "metrics.json")
