"""ModelTesterMixin and ConfigTester of transformers over DNABERT, beside stock BERT."""

import pytest

pytestmark = pytest.mark.slow

DEVIATIONS = {
    "test_model_weights_reload_no_missing_tied_weights": (
        "a checkpoint without the encoder's weights is refused, not filled with random numbers"
    ),
    "test_resize_tokens_embeddings": (
        "a vocabulary of 4 tokens is refused: it could not be one of k = 3, nor be saved"
    ),
}
# Skipped where stock BERT is tested, by class.
NOT_APPLICABLE = {
    "RecurrentSegmentsTest": {
        "test_can_load_ignoring_mismatched_shapes": "the test wants a linear layer for a head",
    },
}


def test_models(run_suite, report):
    results = run_suite("model_suite", deselected=("test_torch_compile_for_training",))
    report(results)
    stock = results.pop("StockBertTest")
    assert not stock["failed"]
    assert len(results) == 3
    for name, outcomes in results.items():
        assert set(outcomes["failed"]) == set(DEVIATIONS), outcomes["failed"]
        skipped = set(outcomes["skipped"]) - set(stock["skipped"])
        assert skipped == set(NOT_APPLICABLE.get(name, {}))
        assert len(outcomes["passed"]) >= 100
