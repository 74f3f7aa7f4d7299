"""Token ids or k-mers of sequences, as a table."""

from pathlib import Path

from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.data.reading.sources import Source, iterate_chunks, open_source
from dnabert_hf.inference.output.formats import choose_table
from dnabert_hf.inference.output.writer import WrittenResults, check_output, open_output
from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer

__all__ = ["write_tokens"]

_CHUNK_BASES = 1 << 20


def write_tokens(
    source: Source,
    output: str | Path,
    *,
    k: int = 6,
    as_kmers: bool = False,
    columns: Columns | None = None,
    overwrite: bool = False,
) -> WrittenResults:
    """Write the token ids of sequences, or the k-mer text that the original DNABERT reads.

    Args:
        source: File of sequences ("-" is standard input), or sequences: texts or records.
        output: `.tsv`, `.tsv.gz`, `.csv` or `.csv.gz`, or "-" for TSV on standard output, with
            the columns id and input_ids ([CLS] and [SEP] included) or kmers, parted by spaces.
        k: Bases per k-mer.
        as_kmers: Whether to write k-mers.
        columns: Names of the columns, if the source is a table.
        overwrite: Whether to replace an existing output.

    Returns:
        Where the tokens were written.

    Raises:
        ValueError: If source or output cannot be used; for k-mers, also if records are pairs.
    """
    check_output(output, overwrite=overwrite, inputs=[source])
    tokenizer = DNABertTokenizer(k=k)
    result_format = choose_table(output, ["id", "kmers" if as_kmers else "input_ids"])
    records = open_source(source, k=k, columns=columns)
    with open_output(output, result_format, fingerprint=None, overwrite=overwrite) as writer:
        for chunk in writer.remaining(iterate_chunks(records, n_bases=_CHUNK_BASES)):
            rows = []
            for record in chunk:
                ids = tokenizer(record.sequence, record.sequence_b, verbose=False)["input_ids"]
                tokens = _kmers(record, k) if as_kmers else map(str, ids)
                rows.append((record.id, " ".join(tokens)))
            writer.write(rows)
    return WrittenResults(Path(output), writer.n_written)


def _kmers(record: SequenceRecord, k: int) -> list[str]:
    if record.sequence_b is not None:
        raise ValueError(
            f"record {record.id}: k-mer text holds one sequence, found a pair; give the two as "
            "records of their own"
        )
    sequence = record.sequence
    return [sequence[start : start + k] for start in range(len(sequence) - k + 1)]
