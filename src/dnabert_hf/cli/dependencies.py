"""`dnabert dependencies`: what each base of a sequence tells of each other."""

import os
from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import input_file
from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.shared import (
    Aliases,
    GenomeOfRegions,
    Model,
    Output,
    SequencesOrRegions,
    close,
    in_output,
    report,
)

__all__ = ["dependencies"]


@takes_run_options("shard", "overwrite", "skip_short", columns=("sequence", "id"))
def dependencies(
    model: Model,
    source: SequencesOrRegions,
    output: Output = Path("-"),
    genome: GenomeOfRegions = None,
    flank: Annotated[
        int, typer.Option(help="Bases beside a region that the model sees, not in the map.")
    ] = 0,
    max_distance: Annotated[
        int | None,
        typer.Option(
            help="Bases between the two of a pair, at most: the time grows with it.",
            show_default="all that the model sees",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        in_output(
            help="Picture to draw: .png, .svg or .pdf; for several sequences, one each, the id in "
            "its name."
        ),
    ] = None,
    page: Annotated[
        Path | None, in_output(help="Page to write, .html: the maps, to zoom into, and blocks.")
    ] = None,
    blocks: Annotated[
        Path | None,
        in_output(help="Table to write, .tsv: sites, repeats and pairs stronger than by chance."),
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option(
            help="MEME file of known motifs that sites are named by, such as JASPAR's.",
            callback=input_file,
        ),
    ] = None,
    aliases: Aliases = None,
    *,
    running: Running,
) -> None:
    r"""Measure how much each base tells a pretrained model of each other.

    Each base is masked in turn, and the change of its odds is measured when another one is replaced
    (nucleotide dependencies, Tomaz da Silva et al. 2025). Arms of hairpins, splice sites that go
    together and the letters of a binding site show as blocks. Without labels. 200 bases take
    120,000 passes of the model, so map what you look at closely. Rows are pairs, 0-based, to TSV,
    CSV or Parquet, or matrices to .npz.

    Example:

        dnabert dependencies dnabert-6-mini trna.fa -o trna.npz --plot trna.png --page trna.html

    Regions, with what lies around them:

        dnabert dependencies dnabert-6-mini sites.bed --genome hg38.fa \
          --flank 100 -o sites.parquet --blocks blocks.tsv --known jaspar.meme
    """
    from dnabert_hf.data.genome.genome import open_genome
    from dnabert_hf.files.outputs import check_distinct
    from dnabert_hf.inference.dependencies.dependency_maps import dependency_maps
    from dnabert_hf.inference.output.writer import check_output

    wanted = {".png, .svg, .pdf": plot, ".html": page, ".tsv": blocks}
    for suffixes, path in wanted.items():
        if path is None:
            continue
        if str(output) == "-":
            raise ValueError(f"{path} is made of maps in a file; name one with -o")
        if path.suffix.lower() not in suffixes.split(", "):
            raise ValueError(f"{path} must be named *{suffixes.replace(', ', ', *')}; rename it")
        check_output(path, overwrite=running["overwrite"], others=[output])
        check_distinct(path, inputs=[source])
    if known is not None and page is None and blocks is None:
        raise ValueError("known motifs name the sites of --page and --blocks; ask for one of them")
    done = dependency_maps(
        model,
        source,
        output=output,
        genome=open_genome(genome, aliases=aliases) if genome else None,
        flank=flank,
        max_distance=max_distance,
        **running,
    )
    assert not isinstance(done, list)
    close(done)
    if any(wanted.values()) and done.path.exists() and os.environ.get("RANK", "0") == "0":
        from dnabert_hf.interpretation.dependencies.report import report_dependencies

        for path in report_dependencies(output, plot=plot, page=page, blocks=blocks, known=known):
            report(f"{path}")
