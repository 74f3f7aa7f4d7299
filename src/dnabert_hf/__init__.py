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
    from dnabert_hf.data.labelled_bases import build_bases
    from dnabert_hf.data.masking import DataCollatorForContiguousKmerMasking
    from dnabert_hf.data.peaks import build_peaks
    from dnabert_hf.data.promoters import build_promoters
    from dnabert_hf.data.reading import read_records
    from dnabert_hf.data.splice_sites import build_splice_sites
    from dnabert_hf.hard_negatives import finetune_with_hard_negatives
    from dnabert_hf.hub.conversion import convert
    from dnabert_hf.hub.release import convert_release
    from dnabert_hf.inference.base_prediction import predict_bases
    from dnabert_hf.inference.embedding import embed
    from dnabert_hf.inference.evaluation import evaluate
    from dnabert_hf.inference.joining import join_parts
    from dnabert_hf.inference.masked_evaluation import evaluate_masked_lm
    from dnabert_hf.inference.mutagenesis import mutagenesis
    from dnabert_hf.inference.prediction import predict
    from dnabert_hf.inference.scanning import scan
    from dnabert_hf.inference.variant_effects import score_variants
    from dnabert_hf.interpretation.attention import attention_scores
    from dnabert_hf.interpretation.attention_report import report_attention
    from dnabert_hf.interpretation.attribution import attribution_scores
    from dnabert_hf.interpretation.context_plots import (
        plot_context,
        plot_context_grid,
        plot_training,
    )
    from dnabert_hf.interpretation.faithfulness import faithfulness
    from dnabert_hf.interpretation.funnel import variant_funnel
    from dnabert_hf.interpretation.head_attention import attention_context, head_scores
    from dnabert_hf.interpretation.motif_results import MotifSearch, MotifSettings
    from dnabert_hf.interpretation.motif_search import search_motifs
    from dnabert_hf.interpretation.motifs import find_motifs
    from dnabert_hf.interpretation.mutation_plot import plot_mutation_maps
    from dnabert_hf.interpretation.plotting import plot_landscape, plot_letters, plot_sequences
    from dnabert_hf.interpretation.training_attention import attention_during_training
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
    from dnabert_hf.training.task import Task

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
    "attention_context": "interpretation.head_attention",
    "attention_during_training": "interpretation.training_attention",
    "MotifSearch": "interpretation.motif_results",
    "MotifSettings": "interpretation.motif_results",
    "Task": "training.task",
    "attention_scores": "interpretation.attention",
    "attribution_scores": "interpretation.attribution",
    "build_bases": "data.labelled_bases",
    "build_peaks": "data.peaks",
    "build_promoters": "data.promoters",
    "build_splice_sites": "data.splice_sites",
    "checkpoint": "checkpoints",
    "convert": "hub.conversion",
    "convert_release": "hub.release",
    "embed": "inference.embedding",
    "evaluate": "inference.evaluation",
    "evaluate_masked_lm": "inference.masked_evaluation",
    "faithfulness": "interpretation.faithfulness",
    "find_motifs": "interpretation.motifs",
    "finetune": "training.finetuning",
    "head_scores": "interpretation.head_attention",
    "finetune_with_hard_negatives": "hard_negatives",
    "open_genome": "data.genome",
    "plot_context": "interpretation.context_plots",
    "plot_context_grid": "interpretation.context_plots",
    "plot_landscape": "interpretation.plotting",
    "plot_letters": "interpretation.plotting",
    "plot_sequences": "interpretation.plotting",
    "plot_training": "interpretation.context_plots",
    "mutagenesis": "inference.mutagenesis",
    "join_parts": "inference.joining",
    "plot_mutation_maps": "interpretation.mutation_plot",
    "predict": "inference.prediction",
    "predict_bases": "inference.base_prediction",
    "pretrain": "training.pretraining",
    "read_bed": "data.intervals",
    "read_records": "data.reading",
    "read_start_sites": "data.annotation",
    "read_transcripts": "data.annotation",
    "register_with_transformers": "registration",
    "report_attention": "interpretation.attention_report",
    "scan": "inference.scanning",
    "score_variants": "inference.variant_effects",
    "search_hyperparameters": "training.hyperparameters",
    "search_motifs": "interpretation.motif_search",
    "variant_funnel": "interpretation.funnel",
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
    "MotifSearch",
    "MotifSettings",
    "Task",
    "attention_context",
    "attention_during_training",
    "attention_scores",
    "attribution_scores",
    "build_bases",
    "build_peaks",
    "build_promoters",
    "build_splice_sites",
    "checkpoint",
    "convert",
    "convert_release",
    "embed",
    "evaluate",
    "evaluate_masked_lm",
    "faithfulness",
    "find_motifs",
    "finetune",
    "finetune_with_hard_negatives",
    "head_scores",
    "join_parts",
    "mutagenesis",
    "open_genome",
    "plot_context",
    "plot_context_grid",
    "plot_landscape",
    "plot_letters",
    "plot_mutation_maps",
    "plot_sequences",
    "plot_training",
    "predict",
    "predict_bases",
    "pretrain",
    "read_bed",
    "read_records",
    "read_start_sites",
    "read_transcripts",
    "register_with_transformers",
    "report_attention",
    "scan",
    "score_variants",
    "search_hyperparameters",
    "search_motifs",
    "variant_funnel",
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
