"""`dnabert predict`: classes and probabilities of sequences."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import input_file
from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.shared import Averaged, BothStrands, Model, Output, close

__all__ = ["predict"]


@takes_run_options("shard", "overwrite", "skip_short", columns=("sequence", "sequence_b", "id"))
def predict(
    model: Model,
    sequences: Annotated[
        str | None,
        typer.Argument(
            help="FASTA, FASTQ, TSV, CSV, Parquet or k-mer text, plain or gzip; - is standard "
            "input.",
            show_default=False,
            callback=input_file,
        ),
    ] = None,
    sequence: Annotated[
        list[str] | None,
        typer.Option(help="A sequence itself, in place of a file; repeatable.", metavar="ACGT..."),
    ] = None,
    output: Output = Path("-"),
    also: Averaged = None,
    rc: BothStrands = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="Class of bases whose runs go to BED.", show_default="every class but the first"
        ),
    ] = None,
    *,
    running: Running,
) -> None:
    """Predict the class of each sequence, of any length, with a fine-tuned model.

    Writes id, label and the probability of each class (regression: id and value) as TSV, CSV or
    Parquet, as the name of the output says. A run that was stopped goes on where it ended when
    the same command is run again.

    Example:

        dnabert predict my_model sequences.fa.gz -o predictions.tsv

    A model of bases (finetune --task token) writes runs of a class as BED, or a table with a row
    for each base:

        dnabert predict islands chr20.fa -o islands.bed

    One sequence:

        dnabert predict my_model --sequence TGACCACCAGGGGGCGCTA

    The mean of three models and both strands (dnabert stack weighs them):

        dnabert predict k4 genes.fa --also k5 --also k6 --rc
    """
    from dnabert_hf.inference.engine.checkpoint import architecture_of
    from dnabert_hf.inference.output.writer import WrittenResults
    from dnabert_hf.inference.predict import predict as predict_sequences
    from dnabert_hf.inference.predict_bases import predict_bases
    from dnabert_hf.inference.stack import is_stack

    source: str | list[str]
    if sequences is not None and not sequence:
        source = sequences
    elif sequence and sequences is None:
        source = sequence
    else:
        raise ValueError(
            "sequences must come from a file or from --sequence, found "
            f"{'both' if sequence else 'neither'}; give one of them"
        )
    done: object
    if not is_stack(model) and architecture_of(model).endswith("ForTokenClassification"):
        if also:
            raise ValueError("--also averages models of sequences, found a model of bases")
        done = predict_bases(model, source, output=output, label=label, both_strands=rc, **running)
    elif label is not None:
        raise ValueError(
            f"--label has an effect with a model of bases only, found one of sequences in {model}"
        )
    else:
        done = predict_sequences(
            model, source, output=output, also=also or (), both_strands=rc, **running
        )
    if isinstance(done, WrittenResults):
        close(done)
