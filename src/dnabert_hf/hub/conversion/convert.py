"""Conversion of other people's DNABERT checkpoints into repositories of ours or of stock BERT."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import PreTrainedConfig

from dnabert_hf.cards.converted import SourceCard, conversion_card, read_source_card
from dnabert_hf.checkpoints import locate
from dnabert_hf.files.atomic import atomic_folder
from dnabert_hf.files.outputs import MODEL_FILES, check_folder
from dnabert_hf.files.weights import quiet_transformers
from dnabert_hf.hub.conversion.build_model import BuiltModel, build_model
from dnabert_hf.hub.conversion.check_logits import check_repository
from dnabert_hf.hub.conversion.finetuned_original import apply_padding, apply_task
from dnabert_hf.hub.conversion.mlm_bias import MLM_BIASES, MLMBias, set_mlm_bias
from dnabert_hf.hub.conversion.source_repository import open_repository
from dnabert_hf.hub.conversion.vocabulary import find_rows, read_vocabulary, reorder
from dnabert_hf.hub.conversion.weight_files import read_weights
from dnabert_hf.hub.conversion.weight_names import MULTIMOLECULE, OURS, Contents, name_contents
from dnabert_hf.hub.stock.bert_repository import check_stock, save_stock
from dnabert_hf.inference.engine.checkpoint import build_config, load_tokenizer
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer
from dnabert_hf.registration import register_with_transformers

__all__ = ["Conversion", "convert"]

# What git needs to be told where a repository is pushed by hand; `publish` leaves it to the Hub.
_ATTRIBUTES = "*.safetensors filter=lfs diff=lfs merge=lfs -text\n"


@dataclass(frozen=True)
class Conversion:
    """Result of a conversion.

    Attributes:
        folder: The repository that was written.
        origin: Who wrote the source: "original DNABERT", "multimolecule" or "dnabert-hf".
        architecture: Class of the model.
        k: Bases per k-mer.
        n_parameters: Parameters of the model.
        reordered: Whether the vocabulary was in another order.
        missing: Weights of the model that the source does not have.
        unexpected: Weights of the source that the model does not have, and that were left out.
        reinitialised: Weights that are in no file now, and get random numbers where a model needs
            them: the pooler, which no task of pretraining trains.
        mlm_bias: What was done with the bias of a masked language model.
        difference: Largest difference of the result, run on DNA, from `transformers.BertModel` on
            the weights of the source.
        notes: What else to know, a sentence each.
    """

    folder: Path
    origin: str
    architecture: str
    k: int
    n_parameters: int
    reordered: bool
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reinitialised: tuple[str, ...]
    mlm_bias: MLMBias | None
    difference: float
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """Say it in lines of a name, a tab and what there is to know."""
        rows = [
            ("source", f"{self.origin}, k = {self.k}"),
            ("model", f"{self.architecture}, {self.n_parameters:,} parameters"),
            ("vocabulary", "brought into order" if self.reordered else "in order"),
            ("missing", ", ".join(self.missing) or "none"),
            ("left out", ", ".join(self.unexpected) or "none"),
        ]
        if self.reinitialised:
            names = ", ".join(self.reinitialised)
            rows.append(("random", f"{names}: never trained, new where a model needs them"))
        if self.mlm_bias is not None:
            losses = self.mlm_bias.losses or {}
            found = ", ".join(f"{kind} {loss:.4f}" for kind, loss in losses.items())
            reason = f"{self.mlm_bias.reason}{f' ({found} nats a k-mer)' if found else ''}"
            rows.append(("MLM bias", f"{self.mlm_bias.kind}: {reason}"))
        rows.append(("check", f"within {self.difference:.1e} of BertModel on the source's weights"))
        rows.extend(("note", note) for note in self.notes)
        rows.append(("written", str(self.folder)))
        return [f"{name}\t{text}" for name, text in rows]


def convert(
    source: str | Path,
    destination: str | Path,
    *,
    stock: bool = False,
    mlm_bias: str = "auto",
    dna: str | Path | None = None,
    padded_to: int | None = None,
    overwrite: bool = False,
) -> Conversion:
    """Turn a DNABERT checkpoint of any make into a repository for today's transformers.

    Takes the repositories and archives of the original (Ji et al. 2021), pretrained or fine-tuned,
    also with its heads for long sequences; those of multimolecule; and older ones of this package.
    What was written is loaded again and compared with BERT on the source's weights before it gets
    its name. The weights are in float32.

    Args:
        source: Folder, zip, repository id on the Hub, or checkpoint of this package.
        destination: Folder to write.
        stock: Write a repository of stock BERT, which needs neither this package nor
            `trust_remote_code`, instead of a full one of ours.
        mlm_bias: "single", "double" (the original's code adds the bias of its masked language
            model twice) or "auto", which takes what has the lower loss on `dna`.
        dna: FASTA file with DNA like that of the training.
        padded_to: For a classifier that the original's code fine-tuned since 18 June 2021: its
            `--max_seq_length`. That code attends to padding, and so does the result.
        overwrite: Whether to replace an earlier repository.

    Returns:
        What was found and done.

    Raises:
        ValueError: If the source cannot be read, is no DNABERT or has no counterpart here, or the
            destination must not be written.
    """
    destination = Path(destination)
    _check_choice(mlm_bias, dna)
    check_folder(
        destination,
        overwrite=overwrite,
        marker="config.json",
        known=MODEL_FILES,
        inputs=[source],
    )
    register_with_transformers()
    # Models begin with random numbers: those of the caller are left alone.
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        repository = _read(source, padded_to)
        name, task = str(source), repository.contents.task
        if stock:
            check_stock(repository.config, task, name)
        built = build_model(repository.config, repository.contents, repository.weights, name)
        model, tokenizer = built.model, repository.tokenizer
        bias = None
        if task == "masked-lm":
            origin = repository.contents.origin
            bias = set_mlm_bias(model, tokenizer, mlm_bias, dna=dna, origin=origin)
        elif mlm_bias != "auto" or dna is not None:
            raise ValueError(
                f"{name}: mlm_bias and dna belong to masked language models, found a model for "
                f"{task}; leave them out"
            )
        with atomic_folder(destination) as partial:
            if stock:
                save_stock(model, task, partial)
            else:
                model.save_pretrained(partial)
                tokenizer.save_pretrained(partial)
            weights = repository.contents.weights
            difference = check_repository(partial, model, weights, repository.rows, task)
            conversion = _describe(repository, built, destination, bias, difference)
            card = conversion_card(
                conversion,
                model.config,
                source=name,
                task=task,
                card=repository.card,
                stock=stock,
            )
            (partial / "README.md").write_text(card, encoding="utf-8")
            (partial / ".gitattributes").write_text(_ATTRIBUTES, encoding="utf-8")
    return conversion


def _describe(
    repository: "_Repository",
    built: BuiltModel,
    folder: Path,
    bias: MLMBias | None,
    difference: float,
) -> Conversion:
    return Conversion(
        folder=folder,
        origin=repository.contents.origin,
        architecture=type(built.model).__name__,
        k=repository.tokenizer.k,
        n_parameters=built.model.num_parameters(),
        reordered=repository.rows is not None,
        missing=built.missing,
        unexpected=built.unexpected,
        reinitialised=built.reinitialised,
        mlm_bias=bias,
        difference=difference,
        notes=tuple(repository.contents.notes),
    )


def _check_choice(mlm_bias: str, dna: str | Path | None) -> None:
    if mlm_bias not in MLM_BIASES:
        raise ValueError(f"mlm_bias must be one of {', '.join(MLM_BIASES)}, got {mlm_bias!r}")
    if dna is not None and mlm_bias != "auto":
        raise ValueError(
            f"dna is what mlm_bias='auto' compares on, but mlm_bias is {mlm_bias!r}; leave one out"
        )


class _Repository(NamedTuple):
    contents: Contents
    config: DNABertConfig
    tokenizer: Any
    rows: np.ndarray | None  # of our tokens in the source's vocabulary; None if they are the same
    weights: Mapping[str, torch.Tensor]  # in the order of our vocabulary
    card: SourceCard


def _read(source: str | Path, padded_to: int | None) -> _Repository:
    name = str(source)
    with open_repository(locate(source)) as folder:
        fields, _ = PreTrainedConfig.get_config_dict(str(folder))
        build_config(fields, name)  # says so where this is another kind of model
        contents = name_contents(fields, read_weights(folder), name)
        apply_task(contents)
        apply_padding(contents, padded_to, name)
        rows, weights = _order(contents, folder, name)
        config = build_config({**contents.fields, "model_type": "dnabert"}, name)
        if contents.origin == OURS:
            tokenizer = load_tokenizer(folder, config)
        else:
            tokenizer = DNABertTokenizer(
                k=config.k, model_max_length=config.max_position_embeddings
            )
        card = read_source_card(folder, contents.origin)
    return _Repository(contents, config, tokenizer, rows, weights, card)


def _order(
    contents: Contents, folder: Path, name: str
) -> tuple[np.ndarray | None, Mapping[str, torch.Tensor]]:
    """Bring the weights into the order of our vocabulary.

    Returns:
        The row of each of our tokens in the source, None if the order is the same, and the weights.
    """
    tokens = read_vocabulary(folder)
    if tokens is None:
        if contents.origin == MULTIMOLECULE:
            raise ValueError(
                f"{name} must have a vocab.txt, since the order of its tokens is not ours, found "
                "none; add that of the checkpoint"
            )
        contents.notes.append("no vocab.txt: the vocabulary is taken to be the original's")
        return None, contents.weights
    rows = find_rows(tokens, name)
    if np.array_equal(rows, np.arange(len(tokens))) and contents.origin == OURS:
        return None, contents.weights  # there may be added tokens behind
    weights = reorder(contents.weights, rows, len(tokens), name)
    return (None if np.array_equal(rows, np.arange(len(tokens))) else rows), weights
