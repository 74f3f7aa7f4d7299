"""Options that the commands of `dnabert dataset` share, and what they do alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnabert_hf.cli.options.early import input_file

if TYPE_CHECKING:
    from dnabert_hf.data.building.labelled_windows import BuiltDataset, Splitting

__all__ = ["DevContigs", "Genomes", "Seed", "Table", "Target", "TestContigs", "WindowLength"]

Genomes = Annotated[
    list[str],
    typer.Option(
        "--genome",
        help="FASTA file, plain, gzip or bgzip; repeatable.",
        show_default=False,
        callback=input_file,
    ),
]
Table = Annotated[
    Path,
    typer.Option("-o", "--output", help="Table to write (.tsv or .tsv.gz).", show_default=False),
]
WindowLength = Annotated[int, typer.Option("--length", help="Bases of a window.")]
DevContigs = Annotated[
    list[str] | None,
    typer.Option("--dev-contig", help="Contig of the validation split; repeatable."),
]
TestContigs = Annotated[
    list[str] | None,
    typer.Option(
        "--test-contig",
        help="Contig of the test split; repeatable.",
        show_default="a tenth, similar sequences together",
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]


@dataclass(frozen=True)
class Target:
    """Destination of a table, the genome it is cut from and how it is split.

    Raises:
        ValueError: If the table exists and is not to be replaced, or its name is not that of one.
    """

    genome: list[str]
    output: Path
    dev: list[str] | None
    test: list[str] | None
    overwrite: bool
    seed: int = 42
    aliases: Path | None = None

    def __post_init__(self) -> None:
        from dnabert_hf.files.outputs import check_output

        if not self.output.name.endswith((".tsv", ".tsv.gz")):
            raise ValueError(f"the output must be a .tsv or .tsv.gz file, got {self.output.name!r}")
        check_output(self.output, overwrite=self.overwrite)

    def splitting(self) -> "Splitting":
        """Say how to split, as the data sets' functions take it."""
        from dnabert_hf.data.building.labelled_windows import Splitting

        return Splitting(tuple(self.dev or ()), tuple(self.test or ()), self.seed)

    def build(
        self,
        function: Callable[..., "BuiltDataset"],
        sites: Sequence[Any] | Mapping[str, Sequence[Any]],
        origin: Mapping[str, Any],
        *,
        source: str,
        **options: Any,
    ) -> None:
        """Build a data set, write it with its report and print that.

        Args:
            function: `build_promoters` or its like.
            sites: Start sites, peaks, transcripts or regions it is built around.
            origin: The command and its file, for the report.
            source: Name of the file, for messages.
            **options: Further options of the function.
        """
        from dnabert_hf.data.genome.genome import open_genome
        from dnabert_hf.data.labelled.leaks import format_report

        splitting = self.splitting()
        built = function(
            open_genome(self.genome, aliases=self.aliases),
            sites,
            splitting=splitting,
            source=source,
            **options,
        )
        settings = {
            **origin,
            "genome": self.genome,
            **options,
            "dev_contigs": splitting.dev_contigs,
            "test_contigs": splitting.test_contigs,
            "seed": self.seed,
        }
        report = built.write(self.output, settings=settings)
        for line in format_report(built.report):
            typer.echo(line)
        typer.echo(f"{self.output}: {len(built.examples):,} sequences; report in {report}")
