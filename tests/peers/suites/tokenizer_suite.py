"""The tests that transformers has for every tokenizer, over DNABERT's and over stock BERT's.

Their English is DNA by the time this runs (conftest.py). BERT's has a word-piece vocabulary of DNA.
"""

import itertools
import tempfile
import unittest
from pathlib import Path

from tests.test_tokenization_common import TokenizerTesterMixin
from transformers import BertTokenizer

from dnabert_hf import DNABertTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = ["".join(letters) for n in (1, 3) for letters in itertools.product("ACGT", repeat=n)]


class _Suite(TokenizerTesterMixin):
    test_tokenizer_from_extractor = False
    test_seq2seq = False
    integration_test_input_string = None

    words = ("ACGTTG", "CATTGC", "CAGATC", "GATTAC", "AGTTAG", "GGCATC")
    between: str

    def get_clean_sequence(self, tokenizer, *_, **__):
        text = self.between.join(self.words)
        return text, tokenizer.encode(text, add_special_tokens=False)


class StockBertTest(_Suite, unittest.TestCase):
    tokenizer_class = BertTokenizer
    between = " "

    @classmethod
    def setUpClass(cls):
        folder = Path(tempfile.mkdtemp())
        vocabulary = [*SPECIAL, *PIECES, *(f"##{piece}" for piece in PIECES)]
        (folder / "vocab.txt").write_text("\n".join(vocabulary))
        BertTokenizer(str(folder / "vocab.txt"), do_lower_case=False).save_pretrained(folder)
        cls.from_pretrained_id = str(folder)
        super().setUpClass()


class DNABertTest(_Suite, unittest.TestCase):
    tokenizer_class = DNABertTokenizer
    between = ""

    @classmethod
    def setUpClass(cls):
        cls.from_pretrained_id = tempfile.mkdtemp()
        DNABertTokenizer(k=3).save_pretrained(cls.from_pretrained_id)
        super().setUpClass()
