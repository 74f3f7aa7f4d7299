"""DNABERT for the Hugging Face ecosystem: raw DNA in, models, predictions and plots out."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dnabert_hf.checkpoints import checkpoint
    from dnabert_hf.data.annotation import read_start_sites, read_transcripts
    from dnabert_hf.data.genome import Genome, open_genome
    from dnabert_hf.data.intervals import read_bed
    from dnabert_hf.data.masking import DataCollatorForContiguousKmerMasking
    from dnabert_hf.data.peaks import build_peaks
    from dnabert_hf.data.promoters import build_promoters
    from dnabert_hf.data.reading import read_records
    from dnabert_hf.data.splice_sites import build_splice_sites
    from dnabert_hf.hub.conversion import convert
    from dnabert_hf.hub.release import convert_release
    from dnabert_hf.inference.embedding import embed
    from dnabert_hf.inference.evaluation import evaluate
    from dnabert_hf.inference.masked_evaluation import evaluate_masked_lm
    from dnabert_hf.inference.prediction import predict
    from dnabert_hf.inference.scanning import scan
    from dnabert_hf.inference.variant_effects import score_variants
    from dnabert_hf.interpretation.attention import attention_scores
    from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
    from dnabert_hf.modeling.modeling_dnabert import (
        DNABertForMaskedLM,
        DNABertForSequenceClassification,
        DNABertForTokenClassification,
        DNABertModel,
    )
    from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer
    from dnabert_hf.pipelines import FillBasePipeline
    from dnabert_hf.registration import register_with_transformers
    from dnabert_hf.training.finetuning import finetune
    from dnabert_hf.training.hyperparameters import search_hyperparameters
    from dnabert_hf.training.pretraining import pretrain

# Names load when they are first used: the Trainer, datasets and plots take seconds.
_MODULES = {
    "DNABertConfig": "modeling.configuration_dnabert",
    "DNABertForMaskedLM": "modeling.modeling_dnabert",
    "DNABertForSequenceClassification": "modeling.modeling_dnabert",
    "DNABertForTokenClassification": "modeling.modeling_dnabert",
    "DNABertModel": "modeling.modeling_dnabert",
    "DNABertTokenizer": "modeling.tokenization_dnabert",
    "DataCollatorForContiguousKmerMasking": "data.masking",
    "FillBasePipeline": "pipelines",
    "Genome": "data.genome",
    "attention_scores": "interpretation.attention",
    "build_peaks": "data.peaks",
    "build_promoters": "data.promoters",
    "build_splice_sites": "data.splice_sites",
    "checkpoint": "checkpoints",
    "convert": "hub.conversion",
    "convert_release": "hub.release",
    "embed": "inference.embedding",
    "evaluate": "inference.evaluation",
    "evaluate_masked_lm": "inference.masked_evaluation",
    "finetune": "training.finetuning",
    "open_genome": "data.genome",
    "predict": "inference.prediction",
    "pretrain": "training.pretraining",
    "read_bed": "data.intervals",
    "read_records": "data.reading",
    "read_start_sites": "data.annotation",
    "read_transcripts": "data.annotation",
    "register_with_transformers": "registration",
    "scan": "inference.scanning",
    "score_variants": "inference.variant_effects",
    "search_hyperparameters": "training.hyperparameters",
}

__all__ = [
    "DNABertConfig",
    "DNABertForMaskedLM",
    "DNABertForSequenceClassification",
    "DNABertForTokenClassification",
    "DNABertModel",
    "DNABertTokenizer",
    "DataCollatorForContiguousKmerMasking",
    "FillBasePipeline",
    "Genome",
    "attention_scores",
    "build_peaks",
    "build_promoters",
    "build_splice_sites",
    "checkpoint",
    "convert",
    "convert_release",
    "embed",
    "evaluate",
    "evaluate_masked_lm",
    "finetune",
    "open_genome",
    "predict",
    "pretrain",
    "read_bed",
    "read_records",
    "read_start_sites",
    "read_transcripts",
    "register_with_transformers",
    "scan",
    "score_variants",
    "search_hyperparameters",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"dnabert_hf.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# The command line registers when a command runs, for its --help should not wait for torch.
if Path(*sys.argv[:1]).name not in ("dnabert", "dnabert.exe"):
    import_module("dnabert_hf.registration").register_with_transformers()
