"""What the Auto classes of transformers learn about DNABERT and its baselines, in one list."""

from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForPreTraining,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.modeling.modeling_dnabert import (
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertModel,
)
from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer
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
    """Make the Auto classes know "dnabert" and "dna_cnn"; calling it again changes nothing."""
    AutoConfig.register("dnabert", DNABertConfig, exist_ok=True)
    AutoTokenizer.register(DNABertConfig, DNABertTokenizer, exist_ok=True)
    for auto_class, model_class in MODEL_CLASSES.items():
        auto_class.register(DNABertConfig, model_class, exist_ok=True)
    AutoConfig.register("dna_cnn", DNACnnConfig, exist_ok=True)
    AutoTokenizer.register(DNACnnConfig, DNABertTokenizer, exist_ok=True)
    AutoModelForSequenceClassification.register(
        DNACnnConfig, DNACnnForSequenceClassification, exist_ok=True
    )
