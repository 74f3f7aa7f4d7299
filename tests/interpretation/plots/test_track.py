import re

from dnabert_hf.interpretation.plots.track import plot_track

TABLE = """contig\tstart\tend\tprob_no\tprob_yes
chr1\t0\t10\t0.9\t0.1
chr1\t5\t15\t0.2\t0.8
chr1\t40\t50\t0.05\t0.95
chr2\t0\t10\t0.9\t0.1
"""


def test_each_contig_has_its_track_calls_and_known_sites(tmp_path):
    (tmp_path / "w.tsv").write_text(TABLE)
    path = tmp_path / "t.svg"
    known = [("chr1", 8, 12), ("chr1", 500, 600), ("chr3", 0, 5)]
    plot_track(tmp_path / "w.tsv", path, label="yes", threshold=0.75, known=known, known_as="peaks")
    text = path.read_text()
    texts = [each.strip() for each in re.findall(r"<!--(.*?)-->", text)]
    for words in ("position on chr1 (0-based)", "position on chr2 (0-based)"):
        assert texts.count(words) == 1
    assert texts.count("probability of yes") == texts.count("0.75") == texts.count("calls") == 2
    # Two calls, 5-15 and 40-50, and the one known site that lies in the windows.
    fills = re.findall(r"fill: (#d55e00|#009e73)", text)
    assert (fills.count("#d55e00"), fills.count("#009e73")) == (2, 1)
