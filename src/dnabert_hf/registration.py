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
from dnabert_hf.pipelines import DNATokenClassificationPipeline
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
    DNABERT, and for every other model what it gave before.
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
    task = PIPELINE_REGISTRY.supported_tasks["token-classification"]
    if task["impl"] is not _TokenClassification:
        _TokenClassification.others = task["impl"]
        task["impl"] = _TokenClassification


class _TokenClassification(TokenClassificationPipeline):
    """Chooses the pipeline of token classification by the model."""

    others: Any = None  # the class of all other models, or where it is found

    def __new__(cls, **kwargs: Any) -> Any:
        model, tokenizer = kwargs.get("model"), kwargs.get("tokenizer")
        is_dnabert = getattr(getattr(model, "config", None), "model_type", None) == "dnabert"
        # multimolecule's models are of the type "dnabert" too, but its tokenizer is another one.
        if is_dnabert and isinstance(getattr(tokenizer, "k", None), int):
            return DNATokenClassificationPipeline(**kwargs)
        chosen = cls.others
        if isinstance(chosen, str):
            module, _, name = chosen.rpartition(".")
            chosen = getattr(import_module(module), name)
        return chosen(**kwargs)
