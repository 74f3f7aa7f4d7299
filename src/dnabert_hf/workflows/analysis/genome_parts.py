"""Parts of the page of an analysis that lie on a genome: the scan, the variants."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dnabert_hf.cards.render import rate
from dnabert_hf.files.counts import counted
from dnabert_hf.interpretation.pages.browsers import browser_links
from dnabert_hf.interpretation.pages.page import Cell, Link, Page
from dnabert_hf.interpretation.plots.mutation_map import plot_mutation_maps
from dnabert_hf.interpretation.plots.track import plot_track
from dnabert_hf.workflows.analysis.plan import Analysis, read_rows

__all__ = ["browse", "describe_scan", "describe_variants", "link_table"]

_N_SHOWN = 20
_USUAL_THRESHOLD = 0.5


def link_table(
    page: Page,
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    bars: Sequence[str] = (),
) -> None:
    """Add a table whose last column are links, if there are any; `bars` as in `Page.table`."""
    n = len(columns) if any(row[-1] for row in rows) else len(columns) - 1
    page.table(caption, columns[:n], [row[:n] for row in rows], bars=bars)


def browse(place: str, build: str | None) -> tuple[Link, ...]:
    """Link a place such as chr1:100-200(-)."""
    contig, _, interval = place.removesuffix("(-)").rpartition(":")
    start, dash, end = interval.partition("-")
    if not (contig and dash and start.isdigit() and end.isdigit()):
        return ()
    return browser_links(contig, int(start), int(end), build)


def describe_scan(page: Page, analysis: Analysis, label: str, build: str | None) -> None:
    """Show the track of the scanned region, and its strongest calls.

    Args:
        page: Page to add to.
        analysis: What was analysed.
        label: Class of interest.
        build: Of the genome, if it is known.
    """
    folder = analysis.folder
    page.heading(f"Scan of {analysis.region}")
    windows = len(read_rows(folder / "scan.tsv"))
    lines = (folder / "scan.bed").read_text(encoding="utf-8").splitlines()
    calls = [line.split("\t") for line in lines if not line.startswith(("track", "#"))]
    calls.sort(key=lambda call: -float(call[4]))
    suggested = analysis.config().get("call_threshold")
    threshold = _USUAL_THRESHOLD if suggested is None else float(suggested)
    page.text(
        f"{counted(windows, 'window')}, {len(calls):,} stretches of windows from "
        f"{threshold:.4g} on. " + _what_to_expect(analysis)
    )
    known = [
        (row["contig"], int(row["start"]), int(row["end"]))
        for row in read_rows(analysis.data)
        if row.get("label") == label and row.get("contig") and row.get("start") and row.get("end")
    ]
    and_data = f", and the sequences of class {label} of the data, trained on or not"
    picture = folder / "scan.png"
    plot_track(
        folder / "scan.tsv", picture, label=label, threshold=threshold, known=known, known_as="data"
    )
    page.figure(
        picture,
        alt=f"Probability of {label} along {analysis.region}, with calls",
        caption=f"Probability of {label}, the mean of the windows over each base; the dashed line "
        f"is the threshold. Below, the calls{and_data if known else ''}.",
        is_wide=True,
    )
    if calls:
        link_table(
            page,
            f"The strongest {min(_N_SHOWN, len(calls))} (0-based, half-open)",
            ["contig", "start", "end", "score (of 1,000)", "browser"],
            [
                [
                    *(call[0], call[1], call[2], float(call[4])),
                    browser_links(call[0], int(call[1]), int(call[2]), build),
                ]
                for call in calls[:_N_SHOWN]
            ],
        )
    page.text("scan.bedgraph and scan.bed can be loaded into IGV and the UCSC Genome Browser.")


def _what_to_expect(analysis: Analysis) -> str:
    """Say what the validation split lets expect of calls, and what that assumes."""
    path = analysis.folder / "model" / "metrics.json"
    calls: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")).get("calls", {})
    if "suggested" not in calls:
        return "The model suggests no threshold: too few validation sequences tell how good it is."
    best = calls["suggested"]
    return (
        f"The validation split suggests this threshold: {100 * best['recall']:.0f} % of its "
        f"sequences of class {calls['class']} are above, and "
        f"{rate(100 * best['false_positive_rate'])} % of the others. In a million bases that hold "
        f"{calls['sites_per_mb']:g} sites (an assumption) and else are like those others (another "
        f"one), that makes some {rate(best['right_per_mb'])} right calls and "
        f"{rate(best['wrong_per_mb'])} wrong ones."
    )


def describe_variants(page: Page, analysis: Analysis, label: str, build: str | None) -> None:
    """Show the strongest variants, and what matters around the first of them.

    Args:
        page: Page to add to.
        analysis: What was analysed.
        label: Class of interest.
        build: Of the genome, if it is known.
    """
    page.heading("Variants")
    scored = [row for row in read_rows(analysis.folder / "variants.tsv") if row[f"diff_{label}"]]
    scored.sort(key=lambda row: -abs(float(row[f"diff_{label}"])))
    names = [f"{name}_{label}" for name in ("prob_ref", "prob_alt", "diff", "log_odds_ratio")]
    rows: list[list[Cell]] = []
    for row in scored[:_N_SHOWN]:
        start = int(row["position_1based"]) - 1
        links = browser_links(row["contig"], start, start + len(row["ref"]), build)
        texts: Sequence[Cell] = [row[name] for name in ("contig", "position_1based", "id")]
        rows.append([*texts, row["ref"], row["alt"], *(float(row[name]) for name in names), links])
    link_table(
        page,
        f"The {len(rows)} strongest of {len(scored):,} alleles, by their effect on class {label}",
        [
            *("contig", "position (1-based)", "id", "REF", "ALT", "probability with REF"),
            *("with ALT", "diff", "log odds ratio", "browser"),
        ],
        rows,
        bars=["diff"],
    )
    _show_surroundings(page, analysis, label)


def _show_surroundings(page: Page, analysis: Analysis, label: str) -> None:
    """Draw the mutation map around each of the strongest variants, the variant marked in it."""
    table, strongest = analysis.folder / "top-variants.tsv", analysis.top_variants(label)
    if not strongest or not table.is_file():
        return
    page.text(
        "Around the strongest, every base changed to every other: letters are as high as what the "
        "logit of the class loses when they are changed. The triangle is at the variant, its "
        "change has a frame. A variant matters where it lies in what the model reads as a site."
    )
    marks = {each.map_id: (each.position, each.row["alt"]) for each in strongest}
    pictures = plot_mutation_maps(table, table.with_suffix(".png"), label=label, marks=marks)
    for variant, picture in zip(strongest, pictures, strict=False):  # none where they are too long
        row = variant.row
        name = f"{row['contig']}:{row['position_1based']} {row['ref']}>{row['alt']}"
        known_as = "" if row["id"] in (".", "") else f" ({row['id']})"
        page.figure(
            picture,
            alt=f"Effects of all changes around {name}",
            caption=f"{name}{known_as}, diff {float(row[f'diff_{label}']):.3g}.",
            is_wide=True,
        )
