"""Checkpoints from a folder or the Hub, checked before anything runs."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub.errors import StrictDataclassError
from transformers import PreTrainedConfig, PreTrainedModel

from dnabert_hf.checkpoints import locate, near
from dnabert_hf.checkpoints.hub import check_reachable, is_repository
from dnabert_hf.files.weights import check_settings, quiet_transformers, readable_weights
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.modeling.modeling_dnabert import (
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertModel,
)
from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer

__all__ = [
    "MODEL_CLASSES",
    "STACK",
    "Checkpoint",
    "architecture_of",
    "as_checkpoint",
    "build_config",
    "check_files",
    "classifier_or_encoder",
    "load_checkpoint",
    "load_tokenizer",
]

logger = logging.getLogger(__name__)

MODEL_CLASSES: dict[str, type[PreTrainedModel]] = {
    "encoder": DNABertModel,
    "masked-lm": DNABertForMaskedLM,
    "sequence-classification": DNABertForSequenceClassification,
    "token-classification": DNABertForTokenClassification,
}
STACK = "stack.json"  # what a folder of `dnabert stack` holds in place of a model
_ADAPTER = "adapter_config.json"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_INDEX = ".index.json"  # in place of one weight file, where there are several
# "bert": configs of the original repositories saved again by transformers.
_MODEL_TYPES = ("dnabert", "bert", None)


class Checkpoint(NamedTuple):
    """A model with the tokenizer that belongs to it.

    Attributes:
        model: DNABERT model.
        tokenizer: Tokenizer with the k of the model.
        name: Folder or repository, or the class of a model that was passed as an object.
        is_ours: Whether the model was loaded here, so that it may be changed.
    """

    model: Any
    tokenizer: Any
    name: str
    is_ours: bool


def as_checkpoint(model: Any, tokenizer: Any | None, *, task: str) -> Checkpoint:
    """Take a model as callers pass it: a name to load, or an object with its tokenizer.

    Args:
        model: Folder, repository id on the Hub, name of a checkpoint that comes with the package,
            or a DNABERT model.
        tokenizer: Tokenizer for `model`; may be left out where `model` is a name.
        task: What the model is for, as in `load_checkpoint`.

    Raises:
        ValueError: If the checkpoint cannot be used, the tokenizer is missing or is not DNABERT's,
            or its k is not that of the model.
    """
    if isinstance(model, str | Path):
        loaded, own_tokenizer = load_checkpoint(locate(model), task)
        if tokenizer is None:
            return Checkpoint(loaded, own_tokenizer, str(model), is_ours=True)
        _check_tokenizer(tokenizer, loaded.config)
        return Checkpoint(loaded, tokenizer, str(model), is_ours=True)
    if tokenizer is None:
        raise ValueError(
            "a model passed as an object needs its tokenizer, got none; pass "
            f"tokenizer=DNABertTokenizer(k={model.config.k}), or the checkpoint's folder as model"
        )
    _check_tokenizer(tokenizer, model.config)
    return Checkpoint(model, tokenizer, type(model).__name__, is_ours=False)


def architecture_of(model: Any) -> str:
    """Name the class that a checkpoint was saved as, or that a model is of; "" if it does not say.

    Args:
        model: Folder, repository id on the Hub, name of a checkpoint that comes with the package,
            or a model.

    Raises:
        ValueError: If there is no such checkpoint.
    """
    if not isinstance(model, str | Path):
        return type(model).__name__
    name = locate(model)
    _check_name(name)
    try:
        fields, _ = PreTrainedConfig.get_config_dict(str(name))
    except OSError as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{name} must be a checkpoint, but reading it failed: {reason}") from error
    return str((fields.get("architectures") or [""])[0])


def classifier_or_encoder(model: Any) -> str:
    """Name the task of a checkpoint that is to be looked into: as a classifier, if it is one.

    Args:
        model: As in `architecture_of`.

    Raises:
        ValueError: If there is no such checkpoint.
    """
    is_classifier = architecture_of(model).endswith("ForSequenceClassification")
    return "sequence-classification" if is_classifier else "encoder"


def load_checkpoint(name: str | Path, task: str) -> tuple[Any, Any]:
    """Load a DNABERT model and its tokenizer, also from a repository of the original DNABERT.

    Args:
        name: Folder, or repository id on the Hub.
        task: "encoder", "masked-lm", "sequence-classification" or "token-classification".

    Returns:
        The model in evaluation mode and the tokenizer.

    Raises:
        ValueError: If `name` is no DNABERT checkpoint or lacks the weights of the task.
    """
    if task not in MODEL_CLASSES:
        raise ValueError(f"task must be one of {', '.join(MODEL_CLASSES)}, got {task!r}")
    _check_name(name)
    try:
        fields = PreTrainedConfig.get_config_dict(str(name))[0]
        _check_architecture(name, task, str((fields.get("architectures") or [""])[0]))
        config = build_config(fields, name)
        # The encoder's pooler was never trained, and embeddings do not use it.
        options: dict[str, Any] = {"add_pooling_layer": False} if task == "encoder" else {}
        model_class: Any = MODEL_CLASSES[task]
        with quiet_transformers(), readable_weights(name):
            model, report = model_class.from_pretrained(
                str(name), config=config, output_loading_info=True, **options
            )
        tokenizer = load_tokenizer(name, config)
    except RuntimeError as error:
        if "ignore_mismatched_sizes" not in str(error):
            raise
        raise ValueError(
            f"{name}: weights must have the shapes that its config.json says, found others; use "
            "the config.json that belongs to them"
        ) from error
    except OSError as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"{name} must be a folder or a repository with a DNABERT checkpoint, but loading it "
            f"failed: {reason}"
        ) from error
    _check_weights(name, task, report["missing_keys"])
    _check_tokenizer(tokenizer, config)
    return model, tokenizer


def _check_name(name: str | Path) -> None:
    folder = Path(name)
    if folder.is_dir():
        check_files(folder)
    elif folder.exists():
        raise ValueError(
            f"{name} must be a checkpoint folder, found a file; name the folder that holds it"
        )
    elif isinstance(name, Path) or not is_repository(name):
        raise ValueError(
            f"{name} must be a checkpoint folder, found no such folder{near(str(name))}; check the "
            "path, or name a repository of the Hub, OWNER/NAME"
        )
    else:
        check_reachable(name)


def check_files(folder: Path) -> None:
    """Refuse a folder without configuration or weights.

    Args:
        folder: Folder of a checkpoint.

    Raises:
        ValueError: If one of the two is missing, or one of its JSON files is damaged.
    """
    if (folder / STACK).is_file():
        raise ValueError(
            f"{folder} must be one model, found a stack of several, which dnabert predict and "
            "evaluate take; name one of its members"
        )
    if (folder / _ADAPTER).is_file():
        raise ValueError(
            f"{folder} must be a whole model, found a PEFT adapter; merge it first "
            "(AutoPeftModelForSequenceClassification.from_pretrained(...).merge_and_unload()), and "
            "save model and tokenizer in a folder of their own"
        )
    missing = []
    if not (folder / "config.json").exists():
        missing.append("config.json")
    if not any((folder / f"{file}{index}").exists() for file in _WEIGHTS for index in ("", _INDEX)):
        missing.append(f"weights ({' or '.join(_WEIGHTS)})")
    if missing:
        raise ValueError(
            f"{folder} must be a checkpoint folder, but it has no {' and no '.join(missing)}; name "
            "a folder that `dnabert finetune` or save_pretrained wrote"
        )
    check_settings(folder)


def build_config(fields: Mapping[str, Any], name: str | Path) -> DNABertConfig:
    """Make the configuration of a checkpoint from the fields of its config.json.

    Args:
        fields: Fields as DNABERT, the original repositories or BERT have them.
        name: Folder or repository that they come from, for the error.

    Raises:
        ValueError: If they describe another kind of model or contradict each other.

    Example:
        >>> build_config({"vocab_size": 1029, "split": 10, "rnn": "lstm"}, "DNA_bert_5").k
        5
    """
    model_type = fields.get("model_type")
    if model_type == "dna_cnn":
        raise ValueError(
            f"{name} must be a DNABERT checkpoint, found a network that DNABERT is compared with "
            f"({fields.get('architecture')}): its test scores are in its metrics.json; "
            'transformers.pipeline("text-classification") runs it'
        )
    if model_type not in _MODEL_TYPES:
        raise ValueError(
            f"{name} must be a DNABERT checkpoint, found model type {model_type!r} in its "
            "config.json; use a model made with DNABertConfig"
        )
    try:
        return DNABertConfig.from_dict({**fields, "model_type": "dnabert"})
    except (ValueError, StrictDataclassError) as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(f"{name} has no config of a DNABERT model: {reason}") from error


def _check_architecture(name: str | Path, task: str, architecture: str) -> None:
    """Refuse a classifier of bases where one of sequences is needed, and the other way round."""
    kinds = {"sequence-classification": "sequences", "token-classification": "bases"}
    saved = next((each for each in kinds if architecture == MODEL_CLASSES[each].__name__), task)
    if task in kinds and saved != task:
        raise ValueError(
            f"{name} must be a classifier of {kinds[task]}, found one of {kinds[saved]} "
            f"({architecture}); use a checkpoint that was trained for {kinds[task]}"
        )


def _check_weights(name: str | Path, task: str, missing: set[str]) -> None:
    if not missing:
        return
    if task.endswith("classification") and any(key.startswith("classifier.") for key in missing):
        raise ValueError(
            f"{name} must have a {task} head, but its weights hold none: the checkpoint was not "
            "fine-tuned; run `dnabert finetune` on it first"
        )
    raise ValueError(
        f"{name} lacks {len(missing)} weights that {task} needs, {min(missing)} among them; use a "
        "checkpoint that was saved with them"
    )


def load_tokenizer(name: str | Path, config: DNABertConfig) -> Any:
    """Load the tokenizer of a checkpoint, or make one where a folder has no vocabulary.

    Args:
        name: Folder, or repository id on the Hub.
        config: Configuration of its model.
    """
    # Not AutoTokenizer: the original repositories name BERT's tokenizer beside a k-mer vocabulary.
    if not Path(name).is_dir() or (Path(name) / "vocab.txt").exists():
        return DNABertTokenizer.from_pretrained(str(name))
    logger.warning(
        "%s has no vocab.txt: using the vocabulary of k = %d, as its config says", name, config.k
    )
    return DNABertTokenizer(k=config.k)


def _check_tokenizer(tokenizer: Any, config: Any) -> None:
    k = getattr(tokenizer, "k", None)
    if k is None:
        raise ValueError(
            f"the tokenizer must be DNABERT's, found {type(tokenizer).__name__}, which does not "
            f"make k-mers; save DNABertTokenizer(k={config.k}) into the folder of the model"
        )
    if k != config.k:
        raise ValueError(
            f"tokenizer and model must have the same k, found k = {k} in the tokenizer and "
            f"k = {config.k} in the model; use DNABertTokenizer(k={config.k})"
        )
