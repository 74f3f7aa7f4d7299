"""Whoever does the work, the files are the same: ranks, shards, and processes that were killed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dnabert_hf import DNABertForMaskedLM, DNABertForSequenceClassification, DNABertTokenizer
from dnabert_hf.inference.output.join import join_parts
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig

SCRIPT = Path(__file__).with_name("inference_on_ranks.py")
NAMES = [
    "predict.tsv.gz", "embed.parquet", "embed.safetensors", "files.parquet", "files.safetensors",
    "attention.parquet", "scan.parquet", "variants.vcf.gz", "variants.tsv", "variants.vcf.gz.tbi",
    "mutagenesis.parquet",
]  # fmt: skip
OF_FUNNEL = ["funnel.tsv", "funnel.html"]
OF_SCAN = ["c.bed", "t.LABEL_0.bw", "t.LABEL_1.bw"]


def _dna(generator, n_bases):
    return "".join(generator.choice(list("ACGT"), n_bases))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Folder of models and input."""
    pytest.importorskip("pysam", reason="pysam is not installed")
    pytest.importorskip("pyBigWig", reason="pyBigWig is not installed")
    path = tmp_path_factory.mktemp("source")
    generator = np.random.default_rng(0)
    lengths = generator.integers(5, 60, 50)
    path.joinpath("in.fa").write_text(
        "".join(f">r{i}\n{_dna(generator, n)}\n" for i, n in enumerate(lengths))
    )
    contig = _dna(generator, 120)
    path.joinpath("genome.fa").write_text(f">a\n{contig[:60]}NN{contig[60:]}\n>b\n{contig[:50]}\n")
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=b>", "#" + "\t".join(
        ["CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"])]  # fmt: skip
    for position in range(2, 48, 3):
        ref = contig[position - 1]
        alt = "ACGT"[("ACGT".index(ref) + 1) % 4] if position % 2 else "<DEL>"
        lines.append(f"b\t{position}\t.\t{ref}\t{alt}\t.\t.\t.")
    path.joinpath("in.vcf").write_text("\n".join(lines) + "\n")
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = DNABertConfig(k=3, intermediate_size=64, max_position_embeddings=24,
                           initializer_range=0.5, **sizes)  # fmt: skip
    for name, kind in (
        ("masked", DNABertForMaskedLM),
        ("classifier", DNABertForSequenceClassification),
    ):
        kind(config).save_pretrained(path / name)
        DNABertTokenizer(k=3).save_pretrained(path / name)
    return path


@pytest.fixture(autouse=True)
def one_thread():
    """Sums depend on the number of threads, and the processes that torchrun starts have one."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("inference_on_ranks", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def whole(source, script, tmp_path_factory):
    """What one process writes."""
    folder = tmp_path_factory.mktemp("whole")
    n_threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DNABERT_HF_CACHE", str(source / "cache"))
        for module, name in (
            (script.sources, "_CHUNK_RECORDS"), (script.prediction, "_CHUNK_BASES"),
            (script.embedding, "_CHUNK_BASES"), (script.embedding, "_CHUNK_BYTES"),
            (script.scanning, "_CHUNK_BASES"), (script.variant_effects, "_CHUNK_RECORDS"),
            (script.formats, "_MEGABYTE"), (script.mutagenesis, "_CHUNK_BASES"),
        ):  # fmt: skip
            patch.setattr(module, name, getattr(module, name))  # so that it is put back
        script.main(source, folder, "whole")
        torch.set_num_threads(n_threads)
        yield folder


def run_script(source, folder, how, *launcher):
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "DNABERT_HF_CACHE": str(source / "cache"),
    }
    return subprocess.run(
        [sys.executable, *launcher, SCRIPT, source, folder, how],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def assert_same_files(folder, whole, names):
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    for name in names:
        files = _files(whole / name)
        assert _files(folder / name) == files, name
        if name.startswith("files."):
            assert len(files) > 2, name


def _files(path):
    """Read a file, or the files of a folder, by name."""
    paths = sorted(path.iterdir()) if path.is_dir() else [path]
    return {each.name: each.read_bytes() for each in paths}


def test_two_ranks_write_the_files_of_one_process(source, whole, tmp_path):
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    result = run_script(source, tmp_path, "whole", *launcher)
    assert result.returncode == 0, result.stderr
    assert_same_files(tmp_path, whole, NAMES + OF_SCAN + OF_FUNNEL)


@pytest.mark.slow  # every command is started twice
def test_killed_processes_that_start_again_write_the_same_files(source, whole, tmp_path):
    result = run_script(source, tmp_path, "killed")
    assert result.returncode == 0, result.stderr
    assert_same_files(tmp_path, whole, NAMES + OF_SCAN)


def test_shards_and_join_write_the_same_files(source, script, whole, tmp_path):
    for shard in ("2/3", "0/3", "1/3"):
        for job in script.jobs(source, tmp_path, shard=shard).values():
            job()
    for name in NAMES:
        if not name.endswith(".tbi"):
            assert len(list((tmp_path / f"{name}.partial").glob("part-*.json"))) >= 5
            join_parts(tmp_path / name)
    assert_same_files(tmp_path, whole, NAMES)


def test_a_scan_without_a_shard_joins_and_writes_the_track(source, script, whole, tmp_path):
    for shard in ("0/2", "1/2"):
        script.jobs(source, tmp_path, shard=shard)["scan.parquet"]()
    with pytest.raises(ValueError, match="made of the whole table, got shard 0/2; ask for them in"):
        script.jobs(source, tmp_path)["scan.parquet"](shard="0/2")
    script.jobs(source, tmp_path)["scan.parquet"]()
    assert_same_files(tmp_path, whole, ["scan.parquet", *OF_SCAN])
