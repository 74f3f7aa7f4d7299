"""The folder of a search for motifs: matrices, tables, logos and a page to read."""

import re
from collections.abc import Sequence
from pathlib import Path

from dnabert_hf.data.genome.coordinates import parse_interval
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.inference.output.formats import DelimitedFormat, Row
from dnabert_hf.interpretation.motifs.figures import MotifFigures, draw_motifs
from dnabert_hf.interpretation.motifs.files import KnownMotif, format_jaspar, format_meme
from dnabert_hf.interpretation.motifs.results import (
    NOTHING_STANDS_OUT,
    Motif,
    MotifSearch,
    MotifSite,
)
from dnabert_hf.interpretation.pages.page import Cell, Link, Page, Picture

__all__ = ["write_motifs"]

_N_SHOWN = 20  # rows of the tables of the page; the files have all
_N_MATCHES = 5  # matches of a motif on the page
_UNBROKEN = "\u00a0"  # a space at which no line ends
_CANDIDATE_COLUMNS = ["word", "instances", "sequences", "positives", "p_value", "q_value", "seed"]
_SITE_COLUMNS = ["motif", "id", "start", "end", "strand", "score", "bases"]
_JASPAR_ID = re.compile(r"MA\d{4}\.\d+")
_MATCH_COLUMNS = [
    *("motif", "known", "known_name", "p_value", "q_value"),
    *("offset", "overlap", "strand"),
]


def write_motifs(
    search: MotifSearch,
    records: Sequence[SequenceRecord],
    folder: Path,
    *,
    lead: str,
    known: Sequence[KnownMotif] = (),
) -> None:
    """Write what a search found into a folder.

    `motifs.meme`, `motifs.jaspar`, `candidates.tsv`, `instances.tsv`, `logos/`, `positions/`;
    `matches.tsv` and `matches/` if motifs were compared; `instances.bed` if the records are named
    by their place; `index.html`.

    Args:
        search: What was found.
        records: The sequences searched.
        folder: An empty folder.
        lead: What was searched, in a sentence.
        known: The known motifs that they were compared with.
    """
    settings, motifs = search.settings, search.motifs
    files = {
        "motifs.meme": "probabilities, in MEME format",
        "motifs.jaspar": "counts, in JASPAR format",
        "candidates.tsv": "all words that the model looks at, with counts, p and q",
        "instances.tsv": "the sites of each motif (0-based, half-open)",
    }
    meme = format_meme(motifs, search.background, both_strands=settings.both_strands)
    (folder / "motifs.meme").write_text(meme, encoding="utf-8")
    (folder / "motifs.jaspar").write_text(format_jaspar(motifs), encoding="utf-8")
    _write_table(folder / "candidates.tsv", _CANDIDATE_COLUMNS, search.candidates)
    sites = [
        [motif.name, records[site.row].id, *site[1:]] for motif in motifs for site in motif.sites
    ]
    _write_table(folder / "instances.tsv", _SITE_COLUMNS, sites)
    lines = _bed_lines(motifs, records)
    if lines:
        (folder / "instances.bed").write_text("".join(lines), encoding="utf-8")
        files["instances.bed"] = "the same in coordinates of the genome"
    if search.matches is not None:
        _write_table(folder / "matches.tsv", _MATCH_COLUMNS, search.matches)
        files["matches.tsv"] = "known motifs like them"
    figures = draw_motifs(search, records, folder, known={each.id: each for each in known})
    if motifs:
        files["logos"] = "their logos as PNG and SVG"
        files["positions"] = "where their sites lie, as PNG and SVG"
    if any(each.match for each in figures):
        files["matches"] = "their logos below those of known motifs, as PNG and SVG"
    page = Page(f"Motifs of class {search.label}", lead=lead)
    _describe(page, search, figures)
    page.heading("Files")
    page.files(files)
    page.write(folder / "index.html")


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    table = DelimitedFormat(columns, delimiter="\t")
    path.write_bytes(table.header() + table.encode(rows))


def _bed_lines(motifs: Sequence[Motif], records: Sequence[SequenceRecord]) -> list[str]:
    """Place the sites of records that are named like chr1:100-200 on the genome."""
    lines = []
    for motif in motifs:
        for site in motif.sites:
            record = records[site.row]
            try:
                place = parse_interval(record.id, len(record.sequence))
            except ValueError:
                continue
            start, end, strand = _on_genome(site, place.start, place.end, place.strand)
            cells = [place.contig, start, end, motif.name, f"{site.score:.2f}", strand]
            lines.append("\t".join(map(str, cells)) + "\n")
    return lines


def _on_genome(site: MotifSite, start: int, end: int, strand: str) -> tuple[int, int, str]:
    """Give start, end and strand of a site of a record that lies from start to end.

    Example:
        >>> _on_genome(MotifSite(0, 2, 5, "+", 9.0, "ACG"), 100, 110, "-")
        (105, 108, '-')
    """
    if strand == "+":
        return start + site.start, start + site.end, site.strand
    return end - site.end, end - site.start, "+" if site.strand == "-" else "-"


def _describe(page: Page, search: MotifSearch, figures: Sequence[MotifFigures]) -> None:
    """Put motifs, matches and candidates on the page."""
    page.heading("Motifs")
    n_enriched = sum(each.q_value < search.settings.max_q for each in search.candidates)
    if not search.n_regions:
        page.text(
            f"No motif was found: {NOTHING_STANDS_OUT}. Look at the scores of the model, and "
            f"{search.advice()}."
        )
        return
    if search.motifs:
        _describe_motifs(page, search, figures)
    else:
        page.text(
            f"No motif was found: of {len(search.candidates):,} candidates {n_enriched:,} are "
            f"enriched (q below {search.settings.max_q:g}), and no words agree on a motif of "
            f"{search.settings.min_instances} sites. To find one, {search.advice()}."
        )
    page.text(
        f"The model looks at {search.n_regions:,} places in sequences of the class. "
        f"{_share(search.n_regions - search.n_explained, search.n_regions)} of them lie in no site "
        "of a reported motif: noise of the scores, or what the search did not find."
    )
    if search.matches:
        page.heading("Known motifs like them")
        page.table(
            f"The best {_N_MATCHES} of each motif (Tomtom); matches.tsv has all "
            f"{len(search.matches):,}",
            _MATCH_COLUMNS,
            [
                match
                for motif in search.motifs
                for match in [each for each in search.matches if each.motif == motif.name][
                    :_N_MATCHES
                ]
            ],
        )
    page.heading("Candidates")
    if search.settings.is_refined:
        seeds = "The seed is the number of the motif that explains at least a half of its instances"
    else:
        seeds = "Those with the same seed were merged, since they overlap"
    page.text(
        f"{len(search.candidates):,} different words that the model looks at, {n_enriched:,} of "
        "them in more sequences of the class than chance explains (q below "
        f"{search.settings.max_q:g}). Instances are places where the model looks at just this "
        "word; sequences hold it anywhere, positives are those of the class among them. "
        f"{seeds}."
    )
    if search.candidates:
        shown = search.candidates[:_N_SHOWN]
        page.table(f"The {len(shown)} with the smallest p", _CANDIDATE_COLUMNS, shown)


def _describe_motifs(page: Page, search: MotifSearch, figures: Sequence[MotifFigures]) -> None:
    n_others = search.n_sequences - search.n_positives
    page.table(
        "Motifs by enrichment: sequences that hold one, among those of the class and others",
        ["motif", "logo", "consensus", "sites", "of the class", "others", "p", "best known match"],
        [
            [
                motif.name,
                Picture(drawn.logo, f"Logo of {motif.matrix.consensus}"),
                motif.matrix.consensus,
                len(motif.sites),
                _share(motif.n_positives, search.n_positives),
                _share(motif.n_sequences - motif.n_positives, n_others),
                motif.p_value,
                _best_match(search, motif.name),
            ]
            for motif, drawn in zip(search.motifs, figures, strict=True)
        ],
    )
    page.text(
        "Sites are where the model looks at the motif. The sequences that hold one are counted "
        "wherever it matches, also where the model does not look. The p-values are of the "
        "sequences in which the motifs were found: they rank, and promise nothing about others."
    )
    for motif, drawn in zip(search.motifs, figures, strict=True):
        match = search.best_match(motif.name)
        if match is not None and drawn.match is not None:
            name = match.known_name or match.known
            page.figure(
                drawn.match,
                alt=f"Logo of {motif.name} below that of {name}",
                caption=f"{motif.name} below {name}, in the strand and at the place where they are "
                "most alike; shaded: positions that both have.",
            )
        page.figure(
            drawn.positions,
            alt=f"Histogram of the sites of {motif.name}",
            caption=f"Where the {len(motif.sites):,} sites of {motif.name} lie. In windows around "
            "peaks, a heap in the middle speaks for the protein itself (Bailey and Machanick "
            "2012).",
        )


def _share(n: int, of: int) -> str:
    return f"{n:,} ({100 * n / max(of, 1):.1f} %)".replace(" ", _UNBROKEN)


def _best_match(search: MotifSearch, motif: str) -> Cell:
    """Name the best match of a motif; one of JASPAR is linked."""
    best = search.best_match(motif)
    if best is None:
        return None
    text = f"{best.known_name or best.known} (q = {best.q_value:.2g})".replace(" ", _UNBROKEN)
    if not _JASPAR_ID.fullmatch(best.known):
        return text
    return (Link(text, f"https://jaspar.elixir.no/matrix/{best.known}/"),)
