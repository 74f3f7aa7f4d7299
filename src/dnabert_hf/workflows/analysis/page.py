"""The page of an analysis: what was done, how well it works, and what the model has learnt."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.files.names import name_files
from dnabert_hf.interpretation.pages.page import Cell, Page, Picture
from dnabert_hf.metrics.scores import METRIC_NAMES
from dnabert_hf.training.shared.curves import title_of
from dnabert_hf.workflows.analysis.genome_parts import (
    browse,
    describe_scan,
    describe_variants,
    link_table,
)
from dnabert_hf.workflows.analysis.plan import Analysis, read_rows

__all__ = ["write_page"]

_N_EXAMPLES = 6
_N_SHOWN = 20
_N_DRAWN = 2  # motifs with a known one above them, and the places of their sites
_WORDS = {
    "MCC": "Matthews correlation coefficient: 1 if all is right, 0 for guessing, also where one "
    "class is rarer",
    "AUROC": "chance that a sequence of the class of interest gets a higher probability than "
    "another one; 0.5 is guessing",
    "AUPRC": "mean precision over all thresholds; the share of the class is guessing",
    "precision, recall, F1": "right ones among those called, called ones among those there, and "
    "their harmonic mean; means over the classes",
    "5-mer regression": "logistic regression on how often each word of five bases occurs: what a "
    "model has to beat, since it knows no order",
    "leak": "a sequence of the test that was, perhaps in part, also trained on: it flatters",
    "split": "train to learn from, dev (validation) to choose the best epoch, test to score once",
    "motif": "pattern that binding sites share; its logo has each base as high as it tells",
    "q": "share of false ones expected among all motifs that are as much alike as this",
    "diff": "DNABERT's effect of a change: (changed - before) x the greater of the probabilities; "
    "below 0 where the class is lost",
    "log odds ratio": "log2 of the odds before over those after; above 0 where the class is lost",
    "attention": "how much the model looks at a base to describe the sequence",
    "probability": "what the model says, not how often it is so: genomes hold far fewer sites than "
    "the test",
}


def write_page(analysis: Analysis, done: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write the index.html of a finished analysis.

    Args:
        analysis: What was analysed.
        done: For each step its command, what it printed and its seconds.

    Returns:
        The page.
    """
    folder = analysis.folder
    report = json.loads((folder / "model" / "metrics.json").read_text(encoding="utf-8"))
    label = analysis.positive_class()
    build = open_genome(analysis.genome).contig_names.find_build() if analysis.genome else None
    counts = {name: each["sequences"] for name, each in report["splits"].items()}
    lead = ", ".join(f"{n:,} to {_PURPOSES[name]}" for name, n in counts.items())
    about = f"Class of interest: {label}. " if label else ""
    title = f"{analysis.source.name}: what DNABERT learns"
    page = Page(title, lead=f"{about}Sequences: {lead}.")
    _describe_data(page, analysis, done)
    _describe_scores(page, report, folder)
    if label is not None:
        _describe_examples(page, analysis, label, build)
        _describe_motifs(page, folder / "motifs", label)
        _describe_changes(page, folder, label)
    if "scan" in done and label is not None:
        describe_scan(page, analysis, label, build)
    if "variants" in done and label is not None:
        describe_variants(page, analysis, label, build)
    page.heading("Every step")
    page.text("What was typed, so to say; each line can be copied and run by itself.")
    page.code("\n".join(f"{each['command']}" for each in done.values()))
    seconds = [f"{name} {each['seconds']:,.0f}" for name, each in done.items()]
    page.text(f"Seconds: {', '.join(seconds)}.")
    page.heading("Words")
    page.table("What the words mean", ["word", "meaning"], [list(each) for each in _WORDS.items()])
    page.heading("Files")
    page.files({name: text for name, text in _FILES.items() if (folder / name).exists()})
    page.write(folder / "index.html")
    return folder / "index.html"


_PURPOSES = {"train": "train", "validation": "choose the best epoch", "test": "test"}
_FILES = {
    "data.tsv": "the labelled sequences, with their places and splits",
    "data.report.json": "how they were made, what was left out, leaks",
    "model/README.md": "card of the model: what it is, how it was trained, how to use it",
    "model/metrics.json": "all scores, settings and versions",
    "model/predictions.tsv": "probabilities of the test sequences",
    "model/kmer_regression.npz": "the regression on 5-mer counts, as `dnabert design` asks it",
    "model/curves.png": "loss and score during training",
    "scores.json": "test scores",
    "calibration.png": "how often the probabilities of the test sequences are right",
    "motifs/index.html": "page of the motifs: logos, candidates, matches",
    "motifs/motifs.meme": "motifs as matrices, for the MEME suite",
    "motifs/instances.tsv": "where each motif was found",
    "attention/index.html": "page of what the model looks at, sequence by sequence",
    "best.fa": "the sequences whose changes are shown",
    "attributions.parquet": "what each of their bases adds to the class, by occlusion",
    "mutations.tsv": "what each change of their bases does",
    "scan.tsv": "probability of each window of the region",
    "scan.png": "the same as a picture",
    "scan.bedgraph": "the same as a track for genome browsers",
    "scan.bed": "stretches above the threshold, for genome browsers",
    "variants.tsv": "what each variant does to the probability",
    "top-variants.tsv": "what each change of the bases around the strongest variants does",
    "run.json": "what was done, so that it need not be repeated",
}


def _describe_data(page: Page, analysis: Analysis, done: Mapping[str, Mapping[str, Any]]) -> None:
    page.heading("The data")
    if analysis.kind != "table":
        page.text(
            f"Windows around the {_POINTS[analysis.kind]} of {analysis.source.name}, and as many "
            "other windows of the genome that are alike in GC and repeats. Similar and overlapping "
            "sequences are in the same split."
        )
    page.text("Classes, leaks between the splits, and what GC or length alone would tell:")
    page.code(done["check"]["printed"].strip())


_POINTS = {"peaks": "summits (or middles)", "promoters": "transcription start sites"}


def _describe_scores(page: Page, report: Mapping[str, Any], folder: Path) -> None:
    page.heading("Does it work?")
    last = report["predictions"]
    of_model, beside = report["scores"][last], report["regression"].get("scores", {}).get(last)
    names = [name for name in METRIC_NAMES[report["problem_type"]] if name in of_model]
    rows: list[list[Cell]] = [["DNABERT", *(of_model[name] for name in names)]]
    if beside:
        rows.append(["5-mer regression", *(beside.get(name) for name in names)])
    titles = [title_of(name) for name in names]
    page.table(f"Scores of the {last} split, which was not trained on", ["", *titles], rows)
    if report["advice"]:
        page.text(f"Here {report['advice']}.")
    elif beside:
        page.text(
            "The model does better than counting words does: it knows more of the sites than which "
            "short words they are made of."
        )
    if report["collapse"]:
        page.text(f"Beware: {report['collapse']}.")
    curves = folder / "model" / "curves.png"
    if curves.is_file():
        page.figure(curves, alt="Loss and validation score by step", is_wide=True)
    if (folder / "calibration.png").is_file():
        page.figure(
            folder / "calibration.png",
            alt="How often probabilities are right",
            caption="Of the test sequences with such a probability, so many are of the class, with "
            "95 % intervals. On the dotted line a probability says how often it is right.",
        )


def _describe_examples(page: Page, analysis: Analysis, label: str, build: str | None) -> None:
    """Show the surest right and the surest wrong ones."""
    page.heading("Right and wrong")
    places = {name: place for name, (place, _) in analysis.sequences().items()}
    rows = read_rows(analysis.folder / "model" / "predictions.tsv")
    sureness = {row["id"]: float(row[f"prob_{row['label']}"]) for row in rows}
    rows.sort(key=lambda row: -sureness[row["id"]])
    for is_right, text in ((True, "right"), (False, "wrong")):
        shown = [row for row in rows if (row["label"] == row["true"]) == is_right]
        link_table(
            page,
            f"The {min(_N_EXAMPLES, len(shown))} surest of {len(shown):,} that are {text}",
            ["id", "place (0-based)", "truth", "predicted", f"probability of {label}", "browser"],
            [
                [
                    row["id"],
                    places.get(row["id"], row["id"]),
                    row["true"],
                    row["label"],
                    float(row[f"prob_{label}"]),
                    browse(places.get(row["id"], ""), build),
                ]
                for row in shown[:_N_EXAMPLES]
            ],
        )


def _describe_motifs(page: Page, folder: Path, label: str) -> None:
    page.heading("Motifs")
    motifs = sorted(
        (folder / "logos").glob("*.png"),
        key=lambda path: int(path.stem.rpartition("_")[2]),
    )
    if not motifs:
        page.text(
            f"No motif was found in what the model looks at in sequences of class {label}; "
            "motifs/candidates.tsv has the words and their p-values."
        )
        return
    page.text(f"What sequences of class {label} share where the model looks, most enriched first.")
    matches = folder / "matches.tsv"
    best: dict[str, dict[str, str]] = {}
    for match in read_rows(matches) if matches.is_file() else ():
        best.setdefault(match["motif"], match)
    sites: dict[str, int] = {}
    for site in read_rows(folder / "instances.tsv"):
        sites[site["motif"]] = sites.get(site["motif"], 0) + 1
    rows: list[list[Cell]] = []
    for path in motifs[:_N_SHOWN]:
        match = best.get(path.stem, {})
        known = match.get("known_name") or match.get("known")
        picture = Picture(path, f"Logo of {path.stem}")
        q = float(match["q_value"]) if match else None
        rows.append([path.stem, picture, sites.get(path.stem, 0), known, q])
    columns = ["motif", "logo", "sites", "best known match", "q"]
    page.table("Motifs", columns if best else columns[:3], [r if best else r[:3] for r in rows])
    for path in motifs[:_N_DRAWN]:
        aligned, where = (folder / name / path.name for name in ("matches", "positions"))
        if aligned.is_file():
            name = best[path.stem]["known_name"] or best[path.stem]["known"]
            page.figure(
                aligned,
                alt=f"Logo of {path.stem} below that of {name}",
                caption=f"{path.stem} below the known motif, in the strand of that.",
            )
        page.figure(
            where,
            alt=f"Histogram of the sites of {path.stem}",
            caption=f"Where the sites of {path.stem} lie in the sequences of class {label}.",
        )
    page.files({"motifs/index.html": "more of them: enrichment, all matches, candidates"})


def _describe_changes(page: Page, folder: Path, label: str) -> None:
    page.heading("What matters in a sequence")
    page.text(
        f"The surest sequences of class {label} with every base changed to every other. Letters "
        "are as high as what its logit (ln of its odds) loses, on average, when the base is "
        "changed; below, blue changes lose and red ones gain. Dots mark the bases that are there."
    )
    lines = (folder / "best.fa").read_text(encoding="utf-8").splitlines()
    ids = [line[1:] for line in lines if line.startswith(">")]
    names = name_files("mutations-*.png", ids, placeholder="*")
    paths = [folder / name for name in (names if len(ids) > 1 else ["mutations.png"])]
    for path in filter(Path.is_file, paths):  # none of sequences too long for a picture
        page.figure(path, alt=f"Effects of all changes of {path.stem}", is_wide=True)
    page.files({"attention/index.html": "what the model looks at, for 20 sequences of either side"})
