"""DNABERT for the Hugging Face ecosystem: raw DNA in, models, predictions and plots out."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dnabert_hf.checkpoints import checkpoint
    from dnabert_hf.data.building.bases import build_bases
    from dnabert_hf.data.building.peaks import build_peaks
    from dnabert_hf.data.building.promoters import build_promoters
    from dnabert_hf.data.building.splice_sites import build_splice_sites
    from dnabert_hf.data.genome.annotation import read_start_sites, read_transcripts
    from dnabert_hf.data.genome.genome import Genome, open_genome
    from dnabert_hf.data.genome.intervals import read_bed
    from dnabert_hf.data.masking.collator import DataCollatorForContiguousKmerMasking
    from dnabert_hf.data.reading.records_from_file import read_records
    from dnabert_hf.hub.conversion.convert import convert
    from dnabert_hf.hub.conversion.release import convert_release
    from dnabert_hf.inference.embed import embed
    from dnabert_hf.inference.evaluate import evaluate
    from dnabert_hf.inference.evaluate_masked_lm import evaluate_masked_lm
    from dnabert_hf.inference.genome_scan.scan import scan
    from dnabert_hf.inference.output.join import join_parts
    from dnabert_hf.inference.predict import predict
    from dnabert_hf.inference.predict_bases import predict_bases
    from dnabert_hf.inference.variants.mutagenesis import mutagenesis
    from dnabert_hf.inference.variants.score_variants import score_variants
    from dnabert_hf.interpretation.attribution.attention import attention_scores
    from dnabert_hf.interpretation.attribution.attention_heads import attention_context, head_scores
    from dnabert_hf.interpretation.attribution.attention_over_training import (
        attention_during_training,
    )
    from dnabert_hf.interpretation.attribution.attribution import attribution_scores
    from dnabert_hf.interpretation.attribution.faithfulness import faithfulness
    from dnabert_hf.interpretation.funnel.funnel import variant_funnel
    from dnabert_hf.interpretation.motifs.find import find_motifs
    from dnabert_hf.interpretation.motifs.results import MotifSearch, MotifSettings
    from dnabert_hf.interpretation.motifs.search import search_motifs
    from dnabert_hf.interpretation.pages.attention_report import report_attention
    from dnabert_hf.interpretation.plots.attention_context import (
        plot_context,
        plot_context_grid,
        plot_training,
    )
    from dnabert_hf.interpretation.plots.mutation_map import plot_mutation_maps
    from dnabert_hf.interpretation.plots.scores import plot_landscape, plot_letters, plot_sequences
    from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
    from dnabert_hf.modeling.modeling_dnabert import (
        DNABertForMaskedLM,
        DNABertForSequenceClassification,
        DNABertForTokenClassification,
        DNABertModel,
    )
    from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer
    from dnabert_hf.pipelines import DNATokenClassificationPipeline, FillBasePipeline
    from dnabert_hf.registration import register_with_transformers
    from dnabert_hf.training.finetuning.finetune import finetune
    from dnabert_hf.training.hyperparameter_search.search import search_hyperparameters
    from dnabert_hf.training.pretraining.pretrain import pretrain
    from dnabert_hf.training.tasks.task import Task
    from dnabert_hf.workflows.hard_negatives import finetune_with_hard_negatives

# Names load when they are first used: the Trainer, datasets and plots take seconds.
_MODULES = {
    "DNABertConfig": "modeling.configuration_dnabert",
    "DNABertForMaskedLM": "modeling.modeling_dnabert",
    "DNABertForSequenceClassification": "modeling.modeling_dnabert",
    "DNABertForTokenClassification": "modeling.modeling_dnabert",
    "DNABertModel": "modeling.modeling_dnabert",
    "DNABertTokenizer": "modeling.tokenization_dnabert",
    "DNATokenClassificationPipeline": "pipelines",
    "DataCollatorForContiguousKmerMasking": "data.masking.collator",
    "FillBasePipeline": "pipelines",
    "Genome": "data.genome.genome",
    "attention_context": "interpretation.attribution.attention_heads",
    "attention_during_training": "interpretation.attribution.attention_over_training",
    "MotifSearch": "interpretation.motifs.results",
    "MotifSettings": "interpretation.motifs.results",
    "Task": "training.tasks.task",
    "attention_scores": "interpretation.attribution.attention",
    "attribution_scores": "interpretation.attribution.attribution",
    "build_bases": "data.building.bases",
    "build_peaks": "data.building.peaks",
    "build_promoters": "data.building.promoters",
    "build_splice_sites": "data.building.splice_sites",
    "checkpoint": "checkpoints",
    "convert": "hub.conversion.convert",
    "convert_release": "hub.conversion.release",
    "embed": "inference.embed",
    "evaluate": "inference.evaluate",
    "evaluate_masked_lm": "inference.evaluate_masked_lm",
    "faithfulness": "interpretation.attribution.faithfulness",
    "find_motifs": "interpretation.motifs.find",
    "finetune": "training.finetuning.finetune",
    "head_scores": "interpretation.attribution.attention_heads",
    "finetune_with_hard_negatives": "workflows.hard_negatives",
    "open_genome": "data.genome.genome",
    "plot_context": "interpretation.plots.attention_context",
    "plot_context_grid": "interpretation.plots.attention_context",
    "plot_landscape": "interpretation.plots.scores",
    "plot_letters": "interpretation.plots.scores",
    "plot_sequences": "interpretation.plots.scores",
    "plot_training": "interpretation.plots.attention_context",
    "mutagenesis": "inference.variants.mutagenesis",
    "join_parts": "inference.output.join",
    "plot_mutation_maps": "interpretation.plots.mutation_map",
    "predict": "inference.predict",
    "predict_bases": "inference.predict_bases",
    "pretrain": "training.pretraining.pretrain",
    "read_bed": "data.genome.intervals",
    "read_records": "data.reading.records_from_file",
    "read_start_sites": "data.genome.annotation",
    "read_transcripts": "data.genome.annotation",
    "register_with_transformers": "registration",
    "report_attention": "interpretation.pages.attention_report",
    "scan": "inference.genome_scan.scan",
    "score_variants": "inference.variants.score_variants",
    "search_hyperparameters": "training.hyperparameter_search.search",
    "search_motifs": "interpretation.motifs.search",
    "variant_funnel": "interpretation.funnel.funnel",
}

__all__ = [
    "DNABertConfig",
    "DNABertForMaskedLM",
    "DNABertForSequenceClassification",
    "DNABertForTokenClassification",
    "DNABertModel",
    "DNABertTokenizer",
    "DNATokenClassificationPipeline",
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
