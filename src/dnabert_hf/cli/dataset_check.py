"""`dnabert dataset check`: what a data set gives away."""

from typing import Annotated

import typer

from dnabert_hf.cli.options.early import model_name

__all__ = ["check"]


def check(
    data: Annotated[
        str,
        typer.Argument(
            help="A table with a split column, or a folder with train, dev and test files.",
            show_default=False,
        ),
    ],
    by_embedding: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Model by whose embeddings to look for near ones across splits, too.",
            show_default=False,
            callback=model_name,
        ),
    ] = None,
    similarity: Annotated[
        float | None,
        typer.Option(
            help="With --by-embedding: cosine beyond which two are near, which then counts as a "
            "leak.",
            show_default="what 1 in 100 shuffled sequences reach, as a hint",
        ),
    ] = None,
) -> None:
    """Report on a data set: classes, leaks between its splits, what GC and length give away.

    Ends with exit code 1 if something leaks.

    Example:

        dnabert dataset check promoters.tsv

    Beyond what letters tell:

        dnabert dataset check promoters.tsv --by-embedding dnabert-6-mini
    """
    if similarity is not None and by_embedding is None:
        raise ValueError("a similarity is one of embeddings: name a model (--by-embedding)")
    from dnabert_hf.data.labelled.dataset import iterate_labelled
    from dnabert_hf.data.labelled.label_check import describe_labels
    from dnabert_hf.data.labelled.labels import infer_labels
    from dnabert_hf.data.labelled.leaks import format_report, report_dataset

    splits, records, _ = zip(*iterate_labelled(data), strict=True)
    if any(record.sequence_b is not None for record in records):
        raise ValueError(f"{data} must hold single sequences to be checked, found pairs")
    is_of_bases = all(len(record.label or "") == len(record.sequence) for record in records)
    report = report_dataset(
        [record.sequence for record in records],
        [record.label or "" for record in records],
        splits,
        ids=[record.id for record in records],
        problem_type="token_classification" if is_of_bases else None,
    )
    labels = [record.label or "" for record in records]
    scheme = infer_labels(labels, problem_type="token_classification" if is_of_bases else None)
    typer.echo(describe_labels(scheme, scheme.count(labels), len(labels)))
    for line in format_report(report):
        typer.echo(line)
    is_leaking = report.has_leaks
    if by_embedding is not None:
        from dnabert_hf.workflows.embedding_leaks import find_embedding_leaks

        found = find_embedding_leaks(by_embedding, records, splits, similarity=similarity)
        for line in found.lines():
            typer.echo(line)
        is_leaking |= similarity is not None and any(found.n_near.values())
    if is_leaking:
        raise typer.Exit(1)
