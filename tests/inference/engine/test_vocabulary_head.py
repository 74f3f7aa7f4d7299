import pytest
import torch

from dnabert_hf import DNABertConfig, DNABertForMaskedLM
from dnabert_hf.inference.engine import vocabulary_head


@pytest.mark.parametrize("n_tokens", [0, 1, 7, 9])
def test_scores_in_pieces_are_those_of_all_at_once(monkeypatch, n_tokens):
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = DNABertForMaskedLM(DNABertConfig(k=8, intermediate_size=32, **sizes)).eval()
    largest = []

    def score(scores, ids):
        largest.append(len(scores))
        return scores.gather(1, ids)

    monkeypatch.setattr(vocabulary_head, "_LARGEST", 3 * 65541 + 1)
    states = torch.randn(n_tokens, 16)
    ids = torch.randint(65541, (n_tokens, 4))
    with torch.no_grad():
        found = vocabulary_head.apply_head(model, states, ids, score)
        torch.testing.assert_close(found, model.cls(states).gather(1, ids))
    assert max(largest) <= 3
