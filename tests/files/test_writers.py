"""Every kind of output on a full disk, stopped and killed: whole, or nothing but parts to go on."""

import contextlib
import itertools
import os
import resource
import signal
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from safetensors.numpy import save_file

from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.files import atomic
from dnabert_hf.files.atomic import atomic_folder, open_table, write_json
from dnabert_hf.files.figures import save_figure
from dnabert_hf.inference.genome_scan.tracks_and_calls import write_calls, write_track
from dnabert_hf.inference.output.formats import (
    DelimitedFormat,
    FolderFormat,
    ParquetFormat,
    SafetensorsFormat,
)
from dnabert_hf.inference.output.vcf import VcfFormat
from dnabert_hf.inference.output.writer import open_output
from dnabert_hf.interpretation.attribution.files import NpzFormat, TrackFormat
from dnabert_hf.interpretation.pages.page import Page, report_folder
from dnabert_hf.training.finetuning.frozen_encoder import _create

N = 300
NUMBERS = np.random.default_rng(0).random(N)  # which do not compress
IDS = [f"c1:{100 * i}-{100 * i + 40}(+)" for i in range(N)]


def in_parts(name, result_format, rows):
    def write(folder):
        fingerprint = {"model": "tiny"}
        with open_output(
            folder / name, result_format(), fingerprint=fingerprint, overwrite=False
        ) as output:
            for chunk in output.remaining([rows[: N // 2], rows[N // 2 :]]):
                output.write(chunk, Counter(seen=len(chunk)))

    return write


def table(name):
    def write(folder):
        with open_table(folder / name) as write_row:
            for row in NUMBERS:
                write_row([row])

    return write


def figure(name):
    def write(folder):
        drawn = Figure()
        drawn.subplots().plot(NUMBERS)
        save_figure(drawn, folder / name)

    return write


def page(folder):
    shown = Page("Numbers")
    shown.table("Numbers", ["number"], [[float(each)] for each in NUMBERS])
    shown.write(folder / "page.html")


def report(folder):
    with report_folder(folder / "report", overwrite=False) as place:
        figure("landscape.png")(place)
        (place / "index.html").write_text(str(NUMBERS.tolist()))


def model(folder):
    with atomic_folder(folder / "model") as place:
        save_file({"numbers": NUMBERS}, place / "model.safetensors")
        write_json({"k": 6}, place / "config.json")


def scan_table(folder):
    """Write beside the folder what tracks and calls are made of."""
    path = folder.parent / "scan.tsv"
    if not path.exists():
        lines = [f"c1\t{10 * i}\t{10 * i + 10}\t{value}\n" for i, value in enumerate(NUMBERS)]
        path.write_text("contig\tstart\tend\tprob_yes\n" + "".join(lines))
    return path


def genome(folder):
    path = folder.parent / "genome.fa"
    if not path.exists():
        path.write_text(">c1\n" + "ACGT" * (30 * N) + "\n")
    return open_genome(path, cache_dir=folder.parent / "cache")


def track(name):
    def write(folder):
        write_track(scan_table(folder), folder / name, genome(folder), label="yes")

    return write


def track_of_scores(folder):
    rows = [[name, "A" * 40, np.resize(NUMBERS, 40)] for name in IDS]
    in_parts("scores.bw", lambda: TrackFormat(".bw", genome(folder)), rows)(folder)


VCF = ["##fileformat=VCFv4.2", "##contig=<ID=c1>", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
PLAIN = [[name, float(number)] for name, number in zip(IDS, NUMBERS, strict=True)]
VECTORS = [[name, np.full(8, number, np.float32)] for name, number in PLAIN]
LINES = [[f"c1\t{i + 1}\t.\tA\tC\t.\t.\t.", [[n]], [""]] for i, n in enumerate(NUMBERS)]
SCORES = [[name, "ACGT", np.full(4, number, np.float32)] for name, number in PLAIN]


def tsv(**options):
    return lambda: DelimitedFormat(["id", "number"], delimiter="\t", **options)


def parquet():
    return ParquetFormat(pa.schema([("id", pa.string()), ("number", pa.float64())]))


WRITERS = {
    "json": lambda folder: write_json({"numbers": NUMBERS.tolist()}, folder / "x.json"),
    "table": table("x.tsv"),
    "table.gz": table("x.tsv.gz"),
    "png": figure("x.png"),
    "svg": figure("x.svg"),
    "pdf": figure("x.pdf"),
    "page": page,
    "report": report,
    "model": model,
    "embeddings": lambda folder: _create(folder / "x.npy", (N, 64), np.float32),
    "bedGraph of a scan": track("x.bedgraph"),
    "bigWig of a scan": track("x.bw"),
    "calls": lambda folder: write_calls(
        scan_table(folder), folder / "x.bed", label="yes", threshold=0.5
    ),
    "parts to TSV": in_parts("x.tsv", tsv(), PLAIN),
    "parts to TSV.gz": in_parts("x.tsv.gz", tsv(is_gzip=True), PLAIN),
    "parts to Parquet": in_parts("x.parquet", parquet, PLAIN),
    "parts to safetensors": in_parts(
        "x.safetensors", lambda: SafetensorsFormat(is_stacked=True), VECTORS
    ),
    "parts to a folder": in_parts(
        "x.parquet", lambda: FolderFormat(parquet(), name="x.parquet", max_mb=1), PLAIN
    ),
    "parts to VCF": in_parts("x.vcf", lambda: VcfFormat(VCF, {"p": ("Float", "P")}), LINES),
    "parts to VCF.gz": in_parts(
        "x.vcf.gz", lambda: VcfFormat(VCF, {"p": ("Float", "P")}, is_bgzip=True), LINES
    ),
    "parts to npz": in_parts("x.npz", lambda: NpzFormat(None), SCORES),
    "parts to bigWig": track_of_scores,
}


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def assert_nothing_but_parts(folder):
    """What is left is a folder of parts to go on from, without a half-written one."""
    for path in folder.iterdir():
        assert path.name.endswith(".partial"), path
        assert (path / "run.json").is_file()
        assert not list(path.glob(".*.partial.*"))


@pytest.fixture(params=list(WRITERS))
def write(request, tmp_path):
    if "bigWig" in request.param:
        pytest.importorskip("pyBigWig", reason="pyBigWig is not installed")
    if "VCF.gz" in request.param:
        pytest.importorskip("pysam", reason="pysam is not installed")
    return WRITERS[request.param]


@pytest.fixture
def whole(write, tmp_path):
    """What is written where nothing is in the way."""
    (tmp_path / "whole").mkdir()
    write(tmp_path / "whole")
    found = contents(tmp_path / "whole")
    assert found
    return found


def test_a_full_disk_leaves_nothing_half_written(write, whole, tmp_path):
    folder = tmp_path / "full"
    folder.mkdir()
    largest = max(map(len, whole.values()))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (1, largest // 3, largest // 2, largest - 1):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            with pytest.raises(OSError, match=r"make room|too large|No space") as error:
                write(folder)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert str(folder) in str(error.value) or "x." in str(error.value)
        assert_nothing_but_parts(folder)
    write(folder)
    assert contents(folder) == whole


def test_ctrl_c_leaves_nothing_half_written(write, whole, tmp_path, monkeypatch):
    folder = tmp_path / "stopped"
    folder.mkdir()
    real = os.fsync
    for stop_at in (1, 3, 5):
        calls = itertools.count(1)

        def stop(descriptor, calls=calls, stop_at=stop_at):
            if next(calls) == stop_at:
                raise KeyboardInterrupt
            real(descriptor)

        if not set(whole) & set(contents(folder)):
            with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
                patch.setattr(atomic.os, "fsync", stop)
                write(folder)
            if not set(whole) & set(contents(folder)):
                assert_nothing_but_parts(folder)
    if not set(whole) & set(contents(folder)):
        write(folder)
    assert contents(folder) == whole


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_what_a_kill_leaves_goes_with_the_next_run(write, whole, tmp_path):
    folder = tmp_path / "killed"
    folder.mkdir()
    child = os.fork()
    if child == 0:  # killed when all is written and nothing has its name yet
        signal.alarm(60)
        atomic.os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
        write(folder)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert not set(whole) & set(contents(folder))
    assert list(folder.iterdir())
    write(folder)
    assert contents(folder) == whole
