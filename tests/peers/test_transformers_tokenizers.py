"""TokenizerTesterMixin of transformers over DNABERT's tokenizer, beside BERT's."""

import pytest

pytestmark = pytest.mark.slow

EMPTY = "an empty text is refused by name, not turned into [CLS] [SEP]"
LONG = (
    "a classifier takes any length, so nothing is said of a long text that is not cut, and "
    "overflow comes as rows with overflow_to_sample_mapping, as by fast tokenizers"
)
DEVIATIONS = {
    "test_chat_template": "chats are no DNA",
    "test_chat_template_batched": "chats are no DNA",
    "test_empty_input_string": EMPTY,
    "test_padding_to_multiple_of": EMPTY,
    "test_maximum_encoding_length_single_input": LONG,
    "test_maximum_encoding_length_pair_input": LONG,
    "test_pretokenized_inputs": "k-mers go over the white space within a text, not over words",
    "test_tokenizers_common_ids_setters": "the five special tokens cannot be changed",
}


def test_tokenizers(run_suite, report):
    results = run_suite("tokenizer_suite")
    report(results)
    assert set(results) == {"StockBertTest", "DNABertTest"}
    assert not results["StockBertTest"]["failed"]
    assert len(results["DNABertTest"]["passed"]) >= 40
    failed = results["DNABertTest"]["failed"]
    assert set(failed) == set(DEVIATIONS), failed
