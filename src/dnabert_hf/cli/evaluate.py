"""`dnabert evaluate`: how well a model does on labelled sequences, or on masked bases."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dnabert_hf.cli.options.masked_lm import (
    Mlm,
    Regions,
    Seed,
    Train,
    Untrained,
    Windows,
    evaluate_masked,
    refuse,
)
from dnabert_hf.cli.options.shared import (
    BatchTokens,
    BothStrands,
    Device,
    Dtype,
    IdColumn,
    LabelColumn,
    Model,
    Overwrite,
    SequenceColumn,
    make_columns,
)

__all__ = ["evaluate"]


def evaluate(
    model: Model,
    data: Annotated[
        str,
        typer.Argument(
            help="Labelled table, - is standard input; with --mlm a FASTA file.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="JSON file to write the metrics to.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Part of the data, where a column tells the parts: train, dev, test."),
    ] = None,
    rc: BothStrands = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    batch_tokens: BatchTokens = None,
    overwrite: Overwrite = False,
    sequence_column: SequenceColumn = "sequence",
    label_column: LabelColumn = "label",
    id_column: IdColumn = "id",
    mlm: Mlm = False,
    region: Regions = None,
    train: Train = None,
    untrained: Untrained = False,
    windows: Windows = None,
    seed: Seed = None,
) -> None:
    r"""Score a fine-tuned model on labelled sequences that it has not seen.

    Prints one line a metric: accuracy, F1, MCC, AUROC and more for classes, correlations and RMSE
    for values.

    Example:

        dnabert evaluate my_model test.tsv -o metrics.json

    With --mlm, scores a pretrained model on single masked bases of a genome: bits per base (2 is
    guessing) and accuracy, beside what counts of other DNA tell of the same bases; of the masked
    k-mers, cross-entropy in nats, perplexity and accuracy.

    Example:

        dnabert evaluate my_model hg38.fa --mlm --region chr20 --train hg38.fa \
          --untrained
    """
    settings: dict[str, Any] = {"device": device, "dtype": dtype, "batch_tokens": batch_tokens}
    settings |= {"output": output, "overwrite": overwrite}
    if mlm:
        columns = (sequence_column, label_column, id_column)
        tables = {
            "--split": split,
            "--rc": rc,
            "column names": columns != ("sequence", "label", "id"),
        }
        refuse(tables, reason="belong to labelled tables, and --mlm reads FASTA")
        settings |= {"regions": region or None, "train": train or None, "untrained": untrained}
        evaluate_masked(model, data, windows=windows, seed=seed, **settings)
        return
    of_mlm: dict[str, Any] = {"--region": region, "--train": train, "--untrained": untrained}
    refuse(of_mlm | {"--windows": windows, "--seed": seed}, reason="have an effect with --mlm only")
    from dnabert_hf.inference.evaluate import evaluate as run

    evaluation = run(
        model,
        data,
        split=split,
        both_strands=rc,
        columns=make_columns(sequence=sequence_column, identifier=id_column, label=label_column),
        **settings,
    )
    for name, value in {"sequences": evaluation.n_sequences, **evaluation.scores}.items():
        typer.echo(f"{name}\t{value:.4g}" if isinstance(value, float) else f"{name}\t{value}")
