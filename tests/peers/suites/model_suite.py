"""The tests that transformers has for every model, over DNABERT and over stock BERT.

Runs in a folder beside the `tests` package of a source distribution of transformers; pytest does
not collect it here.
"""

import unittest

import torch
from tests.test_configuration_common import ConfigTester
from tests.test_modeling_common import ModelTesterMixin, ids_tensor, random_attention_mask
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
)
from transformers.models.auto import modeling_auto

from dnabert_hf import (
    DNABertConfig,
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertModel,
)

# 99 tokens are the vocabulary of k = 3 and 30 added ones.
SIZES = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "max_position_embeddings": 512,
    "type_vocab_size": 16,
}


class _Tester:
    """Makes configurations and inputs, as the model testers of transformers do."""

    batch_size, seq_length, is_training = 13, 7, True

    def __init__(self, config_class, fields):
        self.config_class, self.fields = config_class, {**SIZES, **fields}
        for name, value in SIZES.items():
            setattr(self, name, value)

    def get_config(self):
        return self.config_class(**self.fields)

    def prepare_config_and_inputs_for_common(self):
        shape = (self.batch_size, self.seq_length)
        return self.get_config(), {
            "input_ids": ids_tensor(shape, SIZES["vocab_size"]),
            "token_type_ids": ids_tensor(shape, SIZES["type_vocab_size"]),
            "attention_mask": random_attention_mask(shape),
        }


# The common tests know what a class needs, such as labels, by its name.
for task, model_class in {
    "": DNABertModel,
    "FOR_MASKED_LM_": DNABertForMaskedLM,
    "FOR_SEQUENCE_CLASSIFICATION_": DNABertForSequenceClassification,
    "FOR_TOKEN_CLASSIFICATION_": DNABertForTokenClassification,
}.items():
    getattr(modeling_auto, f"MODEL_{task}MAPPING_NAMES")["dnabert"] = model_class.__name__


class _Suite(ModelTesterMixin):
    config_class: type
    fields: dict = {}  # noqa: RUF012 - replaced, never changed

    def setUp(self):
        torch.manual_seed(0)
        self.model_tester = _Tester(self.config_class, self.fields)
        self.config_tester = ConfigTester(self, config_class=self.config_class, hidden_size=32)

    def test_config(self):
        self.config_tester.run_common_tests()


class StockBertTest(_Suite, unittest.TestCase):
    config_class = BertConfig
    all_model_classes = (
        BertModel,
        BertForMaskedLM,
        BertForSequenceClassification,
        BertForTokenClassification,
    )


class DNABertTest(_Suite, unittest.TestCase):
    config_class = DNABertConfig
    all_model_classes = (
        DNABertModel,
        DNABertForMaskedLM,
        DNABertForSequenceClassification,
        DNABertForTokenClassification,
    )


class MeanPoolingTest(DNABertTest):
    fields = {"token_pooling": "mean"}  # noqa: RUF012


class RecurrentSegmentsTest(DNABertTest):
    fields = {"segment_pooling": "lstm"}  # noqa: RUF012
