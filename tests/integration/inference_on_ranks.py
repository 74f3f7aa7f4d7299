"""What `test_inference_on_ranks.py` runs: every command that writes part by part, in small parts.

Arguments: folder of the input, folder of the results, and how: `whole` (one process, or ranks under
torchrun) or `killed` (each command in a process of its own, which is killed and started again).
"""

import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.data.reading import sources
from dnabert_hf.inference import embed as embedding
from dnabert_hf.inference import predict as prediction
from dnabert_hf.inference.embed import embed
from dnabert_hf.inference.genome_scan import scan as scanning
from dnabert_hf.inference.genome_scan.scan import scan
from dnabert_hf.inference.output import formats
from dnabert_hf.inference.output.part_folder import PartFolder
from dnabert_hf.inference.predict import predict
from dnabert_hf.inference.variants import mutagenesis
from dnabert_hf.inference.variants import score_variants as variant_effects
from dnabert_hf.inference.variants.mutagenesis import mutagenesis as map_mutations
from dnabert_hf.inference.variants.score_variants import score_variants
from dnabert_hf.interpretation.attribution.attention import attention_scores
from dnabert_hf.interpretation.funnel.funnel import variant_funnel


def small_chunks() -> None:
    """Make the chunks so small that there are at least five of each input, and files of 2 kB."""
    sources._CHUNK_RECORDS = 7
    prediction._CHUNK_BASES = embedding._CHUNK_BASES = 300
    embedding._CHUNK_BYTES = 300 * 4 * 32
    scanning._CHUNK_BASES = 100
    mutagenesis._CHUNK_BASES = 10_000
    variant_effects._CHUNK_RECORDS = 3
    formats._MEGABYTE = 10**3


def jobs(source: Path, output: Path, **options: str) -> dict[str, Callable[[], object]]:
    """Name the commands by the file that each writes."""
    model, masked, fasta = source / "classifier", source / "masked", source / "in.fa"
    vcf, genome = source / "in.vcf", open_genome(source / "genome.fa")
    calls = {
        "predict.tsv.gz": functools.partial(predict, model, fasta, both_strands=True),
        "embed.parquet": functools.partial(embed, model, fasta, pooling="base"),
        "embed.safetensors": functools.partial(embed, model, fasta),
        "files.parquet": functools.partial(embed, model, fasta, max_file_mb=2),
        "files.safetensors": functools.partial(
            embed, model, fasta, pooling="base", precision="float16", max_file_mb=2
        ),
        "attention.parquet": functools.partial(attention_scores, model, fasta),
        "scan.parquet": functools.partial(
            scan, model, genome, window=20, step=3, both_strands=True,
            **{} if "shard" in options
            else {"track": output / "t.{label}.bw", "calls": output / "c.bed"},
        ),
        "variants.vcf.gz": functools.partial(score_variants, model, vcf, genome, window=20),
        "variants.tsv": functools.partial(score_variants, masked, vcf, genome, window=18),
        "mutagenesis.parquet": functools.partial(
            map_mutations, model, fasta, deletions=True, both_strands=True
        ),
    }  # fmt: skip
    if "shard" not in options:
        calls["funnel.tsv"] = functools.partial(
            variant_funnel, model, vcf, genome, window=20, report=output / "funnel.html"
        )
    return {
        name: functools.partial(call, output=output / name, dtype="float32", **options)
        for name, call in calls.items()
    }


def in_a_process_killed_at(part: int | None, job: Callable[[], object]) -> int:
    """Run a job in a child, killed when part 2 is written, but not its note; give its signal."""
    child = os.fork()
    if child == 0:
        write_note = PartFolder._write_note

        def kill_or_write(self: PartFolder, name: str, content: object) -> None:
            if part is not None and name == f"part-{part:06d}.json":
                os.kill(os.getpid(), signal.SIGKILL)
            write_note(self, name, content)

        PartFolder._write_note = kill_or_write
        job()
        os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def main(source: Path, output: Path, how: str) -> None:
    small_chunks()
    torch.set_num_threads(1)
    for name, job in jobs(source, output).items():
        if how == "whole":
            job()
            continue
        if name == "funnel.tsv":  # goes on from step to step: tests/interpretation/test_funnel.py
            continue
        # One command twice: all of them go on in the same frame.
        kills = (2, 4) if name == "predict.tsv.gz" else (2,)
        for part, expected in (*((kill, signal.SIGKILL) for kill in kills), (None, 0)):
            assert not (output / name).exists(), name
            found = in_a_process_killed_at(part, job)
            assert found == expected, f"{name}: signal {found}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
