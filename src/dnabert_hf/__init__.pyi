"""The public names of the package: each one, and the module it is loaded from, once."""

from dnabert_hf.checkpoints import checkpoint as checkpoint
from dnabert_hf.data.building.bases import build_bases as build_bases
from dnabert_hf.data.building.peaks import build_peak_classes as build_peak_classes
from dnabert_hf.data.building.peaks import build_peaks as build_peaks
from dnabert_hf.data.building.promoters import build_promoters as build_promoters
from dnabert_hf.data.building.splice_sites import build_splice_sites as build_splice_sites
from dnabert_hf.data.genome.annotation import read_start_sites as read_start_sites
from dnabert_hf.data.genome.annotation import read_transcripts as read_transcripts
from dnabert_hf.data.genome.genome import Genome as Genome
from dnabert_hf.data.genome.genome import open_genome as open_genome
from dnabert_hf.data.genome.intervals import read_bed as read_bed
from dnabert_hf.data.masking.collator import (
    DataCollatorForContiguousKmerMasking as DataCollatorForContiguousKmerMasking,
)
from dnabert_hf.data.reading.records_from_file import read_records as read_records
from dnabert_hf.data.rna.transcript_peaks import build_transcript_peaks as build_transcript_peaks
from dnabert_hf.hub.conversion.convert import convert as convert
from dnabert_hf.hub.conversion.release import convert_release as convert_release
from dnabert_hf.hub.export.export import export as export
from dnabert_hf.hub.stock.sentence_transformers_folder import (
    save_sentence_transformers as save_sentence_transformers,
)
from dnabert_hf.inference.dependencies.blocks import find_blocks as find_blocks
from dnabert_hf.inference.dependencies.dependency_maps import dependency_maps as dependency_maps
from dnabert_hf.inference.dependencies.map_files import (
    read_dependency_maps as read_dependency_maps,
)
from dnabert_hf.inference.embed import embed as embed
from dnabert_hf.inference.embeddings.embedding_files import read_embeddings as read_embeddings
from dnabert_hf.inference.embeddings.nearest import nearest as nearest
from dnabert_hf.inference.evaluate import evaluate as evaluate
from dnabert_hf.inference.evaluate_masked_lm import evaluate_masked_lm as evaluate_masked_lm
from dnabert_hf.inference.genome_scan.loci import score_loci as score_loci
from dnabert_hf.inference.genome_scan.scan import scan as scan
from dnabert_hf.inference.output.join import join_parts as join_parts
from dnabert_hf.inference.predict import predict as predict
from dnabert_hf.inference.predict_bases import predict_bases as predict_bases
from dnabert_hf.inference.run import RunOptions as RunOptions
from dnabert_hf.inference.variants.haplotypes import score_haplotypes as score_haplotypes
from dnabert_hf.inference.variants.mutagenesis import mutagenesis as mutagenesis
from dnabert_hf.inference.variants.score_variants import score_variants as score_variants
from dnabert_hf.interpretation.attribution.attention import attention_scores as attention_scores
from dnabert_hf.interpretation.attribution.attention_heads import (
    attention_context as attention_context,
)
from dnabert_hf.interpretation.attribution.attention_heads import head_scores as head_scores
from dnabert_hf.interpretation.attribution.attention_over_training import (
    attention_during_training as attention_during_training,
)
from dnabert_hf.interpretation.attribution.attribution import (
    attribution_scores as attribution_scores,
)
from dnabert_hf.interpretation.attribution.faithfulness import faithfulness as faithfulness
from dnabert_hf.interpretation.dependencies.report import (
    report_dependencies as report_dependencies,
)
from dnabert_hf.interpretation.design.design import design as design
from dnabert_hf.interpretation.design.limits import Limits as Limits
from dnabert_hf.interpretation.design.report import report_design as report_design
from dnabert_hf.interpretation.embeddings.umap_map import plot_umap as plot_umap
from dnabert_hf.interpretation.experiments.backgrounds import RandomSequences as RandomSequences
from dnabert_hf.interpretation.experiments.experiments import experiment_ablate as experiment_ablate
from dnabert_hf.interpretation.experiments.experiments import experiment_insert as experiment_insert
from dnabert_hf.interpretation.experiments.experiments import experiment_scan as experiment_scan
from dnabert_hf.interpretation.experiments.experiments import experiment_space as experiment_space
from dnabert_hf.interpretation.experiments.report import report_experiment as report_experiment
from dnabert_hf.interpretation.funnel.funnel import variant_funnel as variant_funnel
from dnabert_hf.interpretation.motifs.find import find_motifs as find_motifs
from dnabert_hf.interpretation.motifs.results import MotifSearch as MotifSearch
from dnabert_hf.interpretation.motifs.results import MotifSettings as MotifSettings
from dnabert_hf.interpretation.motifs.search import search_motifs as search_motifs
from dnabert_hf.interpretation.pages.attention_report import report_attention as report_attention
from dnabert_hf.interpretation.pages.training_report import report_training as report_training
from dnabert_hf.interpretation.plots.attention_context import plot_context as plot_context
from dnabert_hf.interpretation.plots.attention_context import plot_context_grid as plot_context_grid
from dnabert_hf.interpretation.plots.attention_context import plot_training as plot_training
from dnabert_hf.interpretation.plots.mutation_map import plot_mutation_maps as plot_mutation_maps
from dnabert_hf.interpretation.plots.scores import plot_landscape as plot_landscape
from dnabert_hf.interpretation.plots.scores import plot_letters as plot_letters
from dnabert_hf.interpretation.plots.scores import plot_sequences as plot_sequences
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig as DNABertConfig
from dnabert_hf.modeling.modeling_dnabert import DNABertForMaskedLM as DNABertForMaskedLM
from dnabert_hf.modeling.modeling_dnabert import (
    DNABertForSequenceClassification as DNABertForSequenceClassification,
)
from dnabert_hf.modeling.modeling_dnabert import (
    DNABertForTokenClassification as DNABertForTokenClassification,
)
from dnabert_hf.modeling.modeling_dnabert import DNABertModel as DNABertModel
from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer as DNABertTokenizer
from dnabert_hf.pipelines import DNATokenClassificationPipeline as DNATokenClassificationPipeline
from dnabert_hf.pipelines import FillBasePipeline as FillBasePipeline
from dnabert_hf.registration import register_with_transformers as register_with_transformers
from dnabert_hf.training.finetuning.finetune import finetune as finetune
from dnabert_hf.training.finetuning.options import FinetuneOptions as FinetuneOptions
from dnabert_hf.training.hyperparameter_search.search import (
    search_hyperparameters as search_hyperparameters,
)
from dnabert_hf.training.pretraining.pretrain import pretrain as pretrain
from dnabert_hf.training.tasks.task import Task as Task
from dnabert_hf.workflows.embedding_leaks import find_embedding_leaks as find_embedding_leaks
from dnabert_hf.workflows.hard_negatives import (
    finetune_with_hard_negatives as finetune_with_hard_negatives,
)
from dnabert_hf.workflows.probe import probe as probe
from dnabert_hf.workflows.stacking import stack_models as stack_models

__all__: list[str]
__version__: str
