"""Picture, page and table of maps that were made by hand."""

import csv
import re

import numpy as np
import pytest
from matplotlib.image import imread

from dnabert_hf.interpretation.dependencies.report import report_dependencies

SEQUENCE = "A" * 20 + "TGACGTCA" + "C" * 12
MEME = """MEME version 4

ALPHABET= ACGT

MOTIF {name} {name}
letter-probability matrix: alength= 4 w= {width} nsites= 20 E= 0
{rows}
"""


@pytest.fixture
def maps(noise, tmp_path):
    """Two maps: one with a site, one of noise whose name is markup."""
    scores = noise(40, 1)
    scores[20:28, 20:28] += 5
    path = tmp_path / "maps.npz"
    np.savez(
        path,
        ids=np.array(["a", "</script><b>"]),
        sequences=np.array([SEQUENCE, "ACGT" * 10]),
        map_0=scores.astype(np.float32),
        map_1=noise(40, 2).astype(np.float32),
    )
    return path


def motif(name, word):
    rows = "\n".join(
        " ".join("0.97" if base == letter else "0.01" for base in "ACGT") for letter in word
    )
    return MEME.format(name=name, width=len(word), rows=rows)


def test_blocks_are_listed_and_sites_are_named(maps, tmp_path):
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("ACGT"), 8)) for _ in range(60)]
    known, table = tmp_path / "known.meme", tmp_path / "blocks.tsv"
    texts = [motif(f"M{index}", word) for index, word in enumerate(words)]
    head, _, _ = texts[0].partition("MOTIF")
    motifs = ["MOTIF" + text.partition("MOTIF")[2] for text in [*texts, motif("CRE", "TGACGTCA")]]
    known.write_text(head + "\n".join(motifs))
    assert report_dependencies(maps, blocks=table, known=known) == [table]
    with table.open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    (site,) = [row for row in rows if row["id"] == "a" and row["kind"] == "site"]
    assert (site["start"], site["end"], site["start_b"]) == ("20", "28", "")
    assert site["known_motif"] == "CRE"
    assert float(site["strength"]) > float(site["chance"])


def test_each_map_has_a_picture_in_which_strong_pairs_are_bright(maps, tmp_path):
    written = report_dependencies(maps, plot=tmp_path / "map.png")
    assert [path.name for path in written] == ["map-a.png", "map-_script_b_.png"]
    pixels = imread(written[0])[..., :3]
    yellow = (pixels[..., 0] > 0.9) & (pixels[..., 1] > 0.8) & (pixels[..., 2] < 0.5)
    height, width = yellow.shape
    assert yellow[height // 2 : height * 3 // 4, width * 4 // 10 : width * 7 // 10].mean() > 0.1


def test_the_page_holds_maps_and_blocks_and_nothing_from_elsewhere(maps, tmp_path):
    page = tmp_path / "page.html"
    report_dependencies(maps, page=page)
    text = page.read_text(encoding="utf-8")
    assert "</script><b>" not in text
    assert "20-28" in text
    assert not re.search(r"(src|href)=\"https?:", text)
