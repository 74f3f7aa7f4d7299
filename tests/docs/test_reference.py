"""The reference has every public name, every option, and every column that is written."""

import csv
import re
import sys

import pyarrow.parquet as pq
import pytest
from running import ROOT, run_command

import dnabert_hf

sys.path.insert(0, str(ROOT / "docs" / "hooks"))
from site_pages import command_pages, name_pages, walk_commands

SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


def test_every_public_name_stands_in_the_reference_once():
    text = "".join(page for _, page in name_pages().values())
    places = re.findall(r"^::: (\S+)$", text, flags=re.MULTILINE)
    assert sorted(place.rpartition(".")[2] for place in places) == dnabert_hf.__all__
    for place in places:
        module = sys.modules[getattr(dnabert_hf, place.rpartition(".")[2]).__module__]
        assert (
            module.__name__.removeprefix("dnabert_hf.")
            == place.removeprefix("dnabert_hf.").rpartition(".")[0]
        )


def test_every_option_of_every_command_stands_in_the_reference():
    pages = {typed: page for _, typed, page in command_pages().values()}
    commands = list(walk_commands())
    assert len(commands) == len(pages) > 25
    for typed, command, _ in commands:
        for parameter in command.params:
            names = [parameter.name.upper()] if parameter.param_type_name == "argument" else [
                *parameter.opts, *parameter.secondary_opts
            ]  # fmt: skip
            for name in names:
                assert f"`{name}`" in pages[typed], f"{typed} {name}"
            assert parameter.help, f"{typed} {name} has no help"
        index = (ROOT / "docs" / "reference" / "commands" / "index.md").read_text()
        assert f"]({typed.removeprefix('dnabert ').replace(' ', '-')}.md)" in index


def test_a_page_of_a_command_says_what_its_help_says():
    _, typed, page = command_pages()["scan.md"]
    assert typed == "dnabert scan"
    assert "```bash\ndnabert scan promoters chr20.fa.gz" in page
    assert (
        "| `--tolerance`<br><small>int</small> | Bases between a call and a site that it meets, at "
        "most. Default: `500`. |" in page
    )
    assert "Bases from a window to the next. **Required.**" in page


def documented():
    """Columns by command, a set for each table of the pages."""
    pages = ("columns.md", "columns-of-explanations.md")
    text = "".join((ROOT / "docs" / "reference" / page).read_text() for page in pages)
    _, *parts = SECTION.split(text)
    tables = {}
    for command, part in zip(parts[::2], parts[1::2], strict=True):
        found = re.findall(r"\| column \| .*\n\|---\|---\|\n((?:\|.*\n)+)", part)
        tables[command.removeprefix("dnabert ")] = [
            re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.splitlines()))
            for table in found
        ]
    return tables


def columns_of(path):
    if path.suffix == ".parquet":
        return pq.read_schema(path).names
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file, delimiter="\t"))


def expanded(names, classes):
    """Put names of classes for CLASS."""
    return [
        each
        for name in names
        for each in ([name.replace("CLASS", c) for c in classes] if "CLASS" in name else [name])
    ]


BOTH, BOUND = ("bound", "unbound"), ("bound",)
GENOME = "--genome genome.fa"
# The command's section, which of its tables, the file, the classes, and what is typed.
WRITTEN = [
    ("finetune", 0, "peaks-model/predictions.tsv", BOTH, ""),
    ("dataset", 0, "a.tsv", (), f"dataset peaks peaks.narrowPeak {GENOME} -o a.tsv"),
    (
        *("dataset", 1, "b.tsv", ()),
        f"dataset windows {GENOME} --positives peaks.narrowPeak --length 100 --step 900"
        " --dev-contig chr2 --test-contig chr8 -o b.tsv",
    ),
    ("predict", 0, "c.tsv", BOTH, "predict peaks-model test.tsv -o c.tsv"),
    ("embed", 0, "d.parquet", (), "embed peaks-model test.tsv -o d.parquet"),
    ("nearest", 0, "near.tsv", (), "nearest d.parquet -o near.tsv"),
    ("scan", 0, "e.parquet", BOTH, "scan peaks-model genome.fa --step 5000 -o e.parquet"),
    (
        *("loci", 0, "by-region.tsv", ()),
        "loci e.parquet regions.bed --sites promoters.bed --label bound -o by-region.tsv",
    ),
    ("variants", 0, "f.tsv", BOUND, f"variants peaks-model variants.vcf {GENOME} -o f.tsv"),
    (
        *("variants", 1, "g.tsv", ()),
        f"variants dnabert-3-mini head.vcf {GENOME} --window 20 -o g.tsv",
    ),
    (
        *("mutagenesis", 0, "h.tsv", BOUND),
        f"mutagenesis peaks-model site.bed {GENOME} --label bound -o h.tsv",
    ),
    (
        *("dependencies", 0, "m.tsv", ()),
        "dependencies dnabert-3-mini short.fa --max-distance 2 -o m.tsv --blocks m-blocks.tsv",
    ),
    ("dependencies", 1, "m-blocks.tsv", (), ""),
    ("funnel", 0, "i.tsv", BOUND, f"funnel peaks-model variants.vcf {GENOME} -o i.tsv"),
    ("attention", 0, "j.parquet", BOTH, "attention peaks-model test.tsv -o j.parquet"),
    (
        *("motifs", 0, "k/candidates.tsv", ()),
        "motifs peaks-model test.tsv --known motifs.meme -o k",
    ),
    ("motifs", 1, "k/instances.tsv", (), ""),
    ("motifs", 2, "k/matches.tsv", (), ""),
    ("tokenize", 0, "l.tsv", (), "tokenize test.tsv -o l.tsv"),
    (
        *("experiment", 0, "n.tsv", BOUND),
        "experiment insert peaks-model --random 2 --motif GATA -o n.tsv",
    ),
    (
        *("experiment", 1, "o.tsv", BOUND),
        "experiment ablate peaks-model short.fa --region 2-7 --draws 2 -o o.tsv",
    ),
    (
        *("experiment", 2, "p.parquet", BOUND),
        "experiment space peaks-model --random 2 --motif-a GA --motif-b TC --distances 0-1"
        " -o p.parquet",
    ),
    (
        *("experiment", 3, "q.tsv", BOUND),
        "experiment scan peaks-model short.fa --motif GATA -o q.tsv",
    ),
    ("design", 0, "r.tsv", BOUND, "design peaks-model short.fa --edits 1 -o r.tsv"),
]
LONGER = [
    ("dataset", 0, "a.tsv", (), f"dataset bases cpg_islands.bed {GENOME} -o a.tsv"),
    ("finetune", 0, "bases/predictions.tsv", "01", "finetune a.tsv --task token -o bases"),
    ("predict", 1, "b.tsv", "01", "predict bases a.tsv -o b.tsv"),
    ("attention-report", 0, "c/landscape.tsv", (), "attention-report peaks-model test.tsv -o c"),
    (
        *("mine-negatives", 0, "d/hard_negatives.tsv", ()),
        f"mine-negatives peaks.tsv {GENOME} --held-out chr20 -o d",
    ),
    ("search", 0, "e/search.tsv", (), "search peaks.tsv --trials 1 -o e"),
    ("benchmark", 0, "f/scores.tsv", (), "benchmark suite.yaml -o f"),
    ("embed", 0, "d.parquet", (), "embed peaks-model test.tsv -o d.parquet"),
    (
        *("umap", 0, "points.tsv", ()),
        "umap d.parquet --neighbours 5 -o map.png --table points.tsv",
    ),
]
SUITE = "data: {peaks: peaks.tsv}\nmodels: {counts: {init: kmers, k: 3}}\nseeds: [0]\n"


@pytest.mark.parametrize("written", [WRITTEN, pytest.param(LONGER, marks=pytest.mark.slow)],
                         ids=["models", "trainings"])  # fmt: skip
def test_columns_of_the_page_are_those_that_are_written(written, work_folder):
    (work_folder / "site.bed").write_text("chr1\t740\t750\n")
    (work_folder / "regions.bed").write_text("chr1\t0\t10\nchr1\t0\t50000\nchr2\t0\t200\n")
    (work_folder / "short.fa").write_text(">a\nACGTTGCATG\n")
    (work_folder / "suite.yaml").write_text(SUITE)
    lines = (work_folder / "variants.vcf").read_text().splitlines(keepends=True)
    (work_folder / "head.vcf").write_text("".join(lines[:12]))
    tables = documented()
    for section, number, name, classes, command in written:
        if command:
            run_command(f"dnabert {command}")
        found = columns_of(work_folder / name)
        if section == "search":  # what is not free is not tried
            found.insert(2, "num_train_epochs")
            found[found.index("validation_mcc")] = "validation_METRIC"
        assert found == expanded(tables[section][number], classes), (section, number)


def test_every_table_of_the_page_is_compared():
    compared = {each[:2] for each in [*WRITTEN, *LONGER]}
    assert compared == {
        (section, number) for section, each in documented().items() for number in range(len(each))
    }
