"""What `dnabert dataset peaks` makes of its options."""

import functools
from collections.abc import Sequence
from pathlib import Path

from dnabert_hf.cli.options.dataset import Target

__all__ = ["build_on_transcripts", "name_classes"]


def build_on_transcripts(intervals: str, annotation: str, target: Target, length: int) -> None:
    """Build a data set of RNA; peaks must say their strand."""
    from dnabert_hf.data.genome.annotation import read_transcripts
    from dnabert_hf.data.genome.intervals import read_bed_file
    from dnabert_hf.data.rna.transcript_peaks import build_transcript_peaks

    bed = read_bed_file(intervals, skip_bad=target.skip_bad)
    if bed.n_unstranded:
        raise ValueError(
            f"{intervals}: peaks on RNA must have a strand, + or - in column 6, found "
            f"{bed.n_unstranded:,} of {len(bed.intervals):,} without; add it, or take other "
            "negatives"
        )
    target.build(
        functools.partial(
            build_transcript_peaks,
            transcripts=read_transcripts(annotation, skip_bad=target.skip_bad),
        ),
        bed.intervals,
        {"command": "peaks", "peaks": intervals, "annotation": annotation},
        source=intervals,
        length=length,
    )


def name_classes(files: Sequence[str]) -> dict[str, str]:
    """Name a class after each file, without suffixes.

    Raises:
        ValueError: If two would be called alike.
    """
    named: dict[str, str] = {}
    for file in files:
        name = Path(file).name.removesuffix(".gz")
        name = name.rpartition(".")[0] or name
        if file == "-":
            raise ValueError(
                "peaks of several classes must be files, whose names become the classes, found "
                "standard input; write it to a file"
            )
        if name in named:
            raise ValueError(
                f"each file of peaks must have a name of its own, which becomes its class, found "
                f"{name} twice: {named[name]} and {file}; copy or link one under another name"
            )
        named[name] = file
    return named
