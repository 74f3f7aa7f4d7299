"""The report of DNABERT-viz: a folder with a page, its pictures and tables."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.positive_class import known_positive, warn_of_guess
from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.data.reading.records_from_file import read_records
from dnabert_hf.data.reading.sources import Source, open_source
from dnabert_hf.inference.engine.checkpoint import as_checkpoint, classifier_or_encoder
from dnabert_hf.inference.run import RunFields, RunOptions
from dnabert_hf.interpretation.attribution.attention import (
    BaseScores,
    Query,
    attention_scores,
    pooled_query,
)
from dnabert_hf.interpretation.attribution.attention_heads import (
    HeadScores,
    attention_context,
    head_scores,
)
from dnabert_hf.interpretation.attribution.landscape import Alignment, Landscape, check_alignment
from dnabert_hf.interpretation.attribution.scores import read_scores
from dnabert_hf.interpretation.pages.attention_order import (
    by_label,
    strongest_site,
    top_first,
    with_truth,
)
from dnabert_hf.interpretation.pages.base_explorer import add_base_explorer
from dnabert_hf.interpretation.pages.page import Page, report_folder
from dnabert_hf.interpretation.plots.attention_context import plot_context, plot_context_grid
from dnabert_hf.interpretation.plots.scores import plot_landscape, plot_letters, plot_sequences

__all__ = ["report_attention"]

_N_LETTERS = 3
_N_ROWS = 100
_N_EXPLORED = 10
_MOST_LETTERS = 1500  # bases of a sequence in letters and under the pointer
_QUERIES = {"cls": "[CLS]", "kmers": "the mean of the k-mers"}


def report_attention(
    model: Any,
    source: Source,
    folder: str | Path,
    *,
    align: Alignment | None = None,
    layer: int = -1,
    heads: Sequence[int] | None = None,
    query: Query | None = None,
    **options: Unpack[RunFields],
) -> Path:
    """Write a folder that shows what a model attends to: index.html, pictures, tables.

    In the order of Figure 4 of Ji et al. 2021: single sequences, the landscape of each class, and
    the context of the strongest site. Classes are the labels of the source; all sequences are one
    if it has none, or more than eight. Top are the sequences with the highest probability of the
    class of interest (or of any but the first, if there is none; without a classifier, the first of
    the source). Scores are held in memory.

    Args:
        model: Folder or Hub repository of a checkpoint, or a DNABERT model.
        source: FASTA, FASTQ, table or k-mer text, or sequences.
        folder: Folder to make; it is there only when it is whole.
        align: Where sequences of unequal length are laid on each other.
        layer: Layer, 0-based; negative ones count from the last.
        heads: Heads to sum over, 0-based; None takes all.
        query: Whose attention, as in `attention_scores`; None takes what the classifier pools,
            [CLS] or the k-mers.
        **options: The fields of `RunOptions`; there are no shards.

    Returns:
        The page.

    Raises:
        ValueError: If model, source or folder cannot be used, or lengths differ and no alignment
            is chosen.
    """
    running = RunOptions.of(options, excluded=["shard", "skip_short"])
    records = list(_read(source, running.columns))
    if not records:
        raise ValueError("a report must have sequences to show, found none")
    check_alignment([len(record.sequence) for record in records], align)
    task = classifier_or_encoder(model)
    checkpoint = as_checkpoint(model, running.tokenizer, task=task)
    if query is None:
        query = pooled_query(checkpoint.model.config)
    loaded = {"tokenizer": checkpoint.tokenizer, "device": running.device}
    how: dict[str, Any] = {"layer": layer, "heads": heads, "query": query, **loaded}
    with report_folder(folder, overwrite=running.overwrite) as folder_in_work:
        table = folder_in_work / "scores.parquet"
        attention_scores(
            checkpoint.model,
            records,
            output=table,
            dtype=running.dtype,
            batch_tokens=running.batch_tokens,
            **how,
        )
        scores = list(read_scores(table))
        page = Page(
            "Bases the model attends to",
            lead=f"Attention of {checkpoint.name} on {len(scores):,} sequences: {_name_of(layer)}, "
            f"{_QUERIES[query]} as the query, {_name_of_heads(heads)}, mean over the k-mers that "
            "cover a base, each sequence divided by its Euclidean norm.",
        )
        positive = None
        if task == "sequence-classification":
            positive = _find_positive(LabelScheme.from_config(checkpoint.model.config))
        top = top_first(scores, positive)
        explained = head_scores(checkpoint.model, _readable(top)[:_N_EXPLORED], **how)
        groups = by_label(records, scores, positive)
        _add_sequences(page, folder_in_work, with_truth(top, groups))
        _add_rows(page, folder_in_work, groups, align)
        _add_bases(page, explained)
        _add_landscape(page, folder_in_work, groups, align)
        _add_context(page, folder_in_work, checkpoint.model, top, layer=layer, loaded=loaded)
        page.heading("Files")
        page.files(
            {
                "scores.parquet": "id, sequence, score of each base, probabilities of the classes",
                "landscape.tsv": "mean score and 95 % confidence interval by class and position",
                **{path.name: "picture above" for path in sorted(folder_in_work.glob("*.png"))},
            }
        )
        page.write(folder_in_work / "index.html")
    return Path(folder) / "index.html"


def _read(source: Source, columns: Columns | None) -> Iterator[SequenceRecord]:
    # Without the k of a model: what it cannot read is reported when it runs.
    if isinstance(source, str | Path):
        return read_records(source, columns=columns)
    return open_source(source, k=1)


def _find_positive(scheme: LabelScheme) -> str | None:
    """Find the class whose sequences come first; of two of which none is known, the second."""
    positive = known_positive(scheme)
    is_of_two = scheme.problem_type == "single_label_classification" and len(scheme.names) == 2
    if positive is None and is_of_two:
        warn_of_guess(scheme.names, has_label=False)
        return scheme.names[1]
    return positive


def _name_of(layer: int) -> str:
    if layer == -1:
        return "last layer"
    return f"layer {layer}" if layer >= 0 else f"layer {-layer} from the end"


def _name_of_heads(heads: Sequence[int] | None) -> str:
    return "all heads" if heads is None else f"heads {', '.join(map(str, heads))}"


def _readable(scores: Sequence[BaseScores]) -> list[SequenceRecord]:
    return [SequenceRecord(s.id, s.sequence) for s in scores if len(s.sequence) <= _MOST_LETTERS]


def _add_sequences(
    page: Page,
    folder_in_work: Path,
    top: Sequence[BaseScores],
) -> None:
    page.heading("Single sequences")
    shown = [each for each in top if len(each.sequence) <= _MOST_LETTERS][:_N_LETTERS]
    for number, each in enumerate(shown, start=1):
        image = folder_in_work / f"sequence-{number}.png"
        plot_letters(each, image, what="attention")
        best = int(each.scores.argmax())
        page.figure(
            image,
            alt=f"Letters of {each.id} as high as their scores; the highest is base {best} "
            f"({each.sequence[best]}), {each.scores[best]:.3f}.",
            caption=f"{each.id}: letters as high as their attention; in brackets what the model "
            "says, and its probability. Positions are 0-based.",
            is_wide=True,
        )


def _add_rows(
    page: Page,
    folder_in_work: Path,
    groups: Mapping[str, Sequence[BaseScores]],
    align: Alignment | None,
) -> None:
    """Draw the rows of each class below those of the one before, the surest of it on top."""
    most = max(_N_ROWS // len(groups), 1)
    rows, classes = [], []
    for name, scores in groups.items():
        chosen = sorted(scores, key=lambda each: -(each.probabilities or {}).get(name, 0.0))[:most]
        rows += chosen
        classes += [name] * len(chosen)
    image = folder_in_work / "sequences.png"
    plot_sequences(
        rows,
        image,
        align=align,
        classes=classes if len(groups) > 1 else None,
        what="attention",
    )
    page.figure(
        image,
        alt=f"Heat map of the attention of {len(rows)} sequences by position.",
        caption=f"{len(rows):,} sequences, one a row, by class (the bar at the left), those that "
        "the model is surest of on top. Light is where the model looks.",
        is_wide=True,
    )


def _add_bases(page: Page, explained: Sequence[HeadScores]) -> None:
    if not explained:
        return
    page.heading("Base by base")
    page.text(
        "Point at a base, tap it or move with the arrow keys: its position, its attention and what "
        "each head adds to it, the strongest head in bold. Heads are counted from 0. Light is much "
        "attention."
    )
    add_base_explorer(page, explained)


def _add_landscape(
    page: Page,
    folder_in_work: Path,
    groups: Mapping[str, Sequence[BaseScores]],
    align: Alignment | None,
) -> None:
    landscapes = plot_landscape(
        groups, folder_in_work / "landscape.png", align=align, what="attention"
    )
    page.heading("Landscape")
    page.figure(
        folder_in_work / "landscape.png",
        alt="Mean attention by position. "
        + " ".join(f"{each.name} peaks at position {each.peak()}." for each in landscapes),
        caption="Mean attention by position with its 95 % confidence interval, for each class.",
        is_wide=True,
    )
    page.table(
        "Where the mean attention is highest",
        ["class", "sequences", "position (0-based)", "mean attention", "95 % from", "to"],
        [_peak_row(each, len(groups[each.name])) for each in landscapes],
    )
    with (folder_in_work / "landscape.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["class", "position", "n_sequences", "mean", "low", "high"])
        for each in landscapes:
            for row in zip(
                each.positions, each.n_sequences, each.means, each.low, each.high, strict=True
            ):
                writer.writerow([each.name, *row[:2], *(f"{value:.6g}" for value in row[2:])])


def _peak_row(landscape: Landscape, n: int) -> list[str | int | float | None]:
    at = int(landscape.means.argmax())
    numbers = [float(each[at]) for each in (landscape.means, landscape.low, landscape.high)]
    known = [None if np.isnan(number) else number for number in numbers]
    return [landscape.name, n, landscape.peak(), *known]


def _add_context(
    page: Page,
    folder_in_work: Path,
    model: Any,
    top: Sequence[BaseScores],
    *,
    layer: int,
    loaded: Mapping[str, Any],
) -> None:
    room = model.config.max_position_embeddings - 2 + loaded["tokenizer"].k - 1
    shown = next((each for each in top if len(each.sequence) <= room), top[0])
    start, end = strongest_site(shown.scores)
    begin = min(max((start + end - room) // 2, 0), max(len(shown.sequence) - room, 0))
    context = attention_context(
        model,
        shown.sequence[begin : begin + room],
        (start - begin, end - begin),
        name=shown.id if not begin else f"{shown.id} from base {begin}",
        **loaded,
    )
    plot_context(context, folder_in_work / "context.png", layer=layer)
    plot_context_grid(context, folder_in_work / "context-grid.png")
    site = f"bases {start} to {end - 1} ({shown.sequence[start:end]}) of {shown.id}"
    page.heading("Context")
    page.text(f"Which k-mers attend to the strongest site: {site}, 0-based.")
    with page.fold("Which k-mers, by head and layer (both counted from 0)"):
        page.figure(
            folder_in_work / "context.png",
            alt=f"Arcs from the k-mers that attend most to {site}, coloured by head.",
            caption="Arcs: the strongest k-mers of each head; below, all k-mers, a row a head. The "
            "site is shaded, or between the lines.",
            is_wide=True,
        )
        page.figure(
            folder_in_work / "context-grid.png",
            alt=f"Attention to {site} by position, a panel for each head of each layer.",
            caption="Every head (column) of every layer (row), each with its own scale, whose top "
            "is written in the panel.",
            is_wide=True,
        )
