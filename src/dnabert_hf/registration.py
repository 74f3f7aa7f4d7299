"""Registration of DNABERT and its baselines with the Auto classes of transformers."""

from importlib import import_module
from typing import Any

from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForPreTraining,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    TextClassificationPipeline,
    TokenClassificationPipeline,
)
from transformers.pipelines import PIPELINE_REGISTRY

from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.modeling.modeling_dnabert import (
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertModel,
)
from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer
from dnabert_hf.pipelines import DNATokenClassificationPipeline, TwoStrandClassificationPipeline
from dnabert_hf.training.shared.cnn import DNACnnConfig, DNACnnForSequenceClassification

__all__ = ["MODEL_CLASSES", "register_with_transformers"]

MODEL_CLASSES = {
    AutoModel: DNABertModel,
    AutoModelForPreTraining: DNABertForMaskedLM,
    AutoModelForMaskedLM: DNABertForMaskedLM,
    AutoModelForSequenceClassification: DNABertForSequenceClassification,
    AutoModelForTokenClassification: DNABertForTokenClassification,
}


def register_with_transformers() -> None:
    """Make the Auto classes know "dnabert" and "dna_cnn"; calling it again changes nothing.

    `pipeline("token-classification")` gives a `DNATokenClassificationPipeline` where the model is a
    DNABERT, `pipeline("text-classification")` a `TwoStrandClassificationPipeline` where the config
    is ours and has `both_strands`; for every other model they give what they gave before.
    """
    AutoConfig.register("dnabert", DNABertConfig, exist_ok=True)
    AutoTokenizer.register(DNABertConfig, DNABertTokenizer, exist_ok=True)
    for auto_class, model_class in MODEL_CLASSES.items():
        auto_class.register(DNABertConfig, model_class, exist_ok=True)
    AutoConfig.register("dna_cnn", DNACnnConfig, exist_ok=True)
    AutoTokenizer.register(DNACnnConfig, DNABertTokenizer, exist_ok=True)
    AutoModelForSequenceClassification.register(
        DNACnnConfig, DNACnnForSequenceClassification, exist_ok=True
    )
    choosers: dict[str, Any] = {
        "token-classification": _TokenClassification,
        "text-classification": _TextClassification,
    }
    for name, chooser in choosers.items():
        task = PIPELINE_REGISTRY.supported_tasks[name]
        if task["impl"] is not chooser:
            chooser.others = task["impl"]
            task["impl"] = chooser


class _TokenClassification(TokenClassificationPipeline):
    """Chooses the pipeline of token classification by the model."""

    others: Any = None  # the class of all other models, or where it is found

    def __new__(cls, **kwargs: Any) -> Any:
        # multimolecule's models are of the type "dnabert" too, but its tokenizer is another one.
        is_ours = isinstance(getattr(kwargs.get("tokenizer"), "k", None), int)
        if is_ours and _model_type(kwargs) == "dnabert":
            return DNATokenClassificationPipeline(**kwargs)
        return _found(cls.others)(**kwargs)


class _TextClassification(TextClassificationPipeline):
    """Chooses the pipeline of text classification by the model."""

    others: Any = None  # as above

    def __new__(cls, **kwargs: Any) -> Any:
        is_ours = _model_type(kwargs) in ("dnabert", "dna_cnn")
        # Only our configs have the field, and all that have it have k.
        if is_ours and getattr(kwargs["model"].config, "both_strands", False):
            return TwoStrandClassificationPipeline(**kwargs)
        return _found(cls.others)(**kwargs)


def _model_type(kwargs: dict[str, Any]) -> str | None:
    return getattr(getattr(kwargs.get("model"), "config", None), "model_type", None)


def _found(chosen: Any) -> Any:
    if isinstance(chosen, str):
        module, _, name = chosen.rpartition(".")
        chosen = getattr(import_module(module), name)
    return chosen
