import pytest
import torch

from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.modeling.modeling_dnabert import DNABertForMaskedLM
from dnabert_hf.training.pretraining.structured_weights import (
    extend_positions,
    initialise_structured,
)

WIDTH = 32  # dimensions of a head


def build(**changes):
    sizes = {"hidden_size": 4 * WIDTH, "num_attention_heads": 4, "intermediate_size": 128}
    fields = {"k": 3, "num_hidden_layers": 2, "initializer_range": 0.05} | sizes | changes
    torch.manual_seed(0)
    model = DNABertForMaskedLM(DNABertConfig(**fields)).eval()
    initialise_structured(model)
    return model


@pytest.fixture(scope="module")
def model():
    return build()


def test_each_head_looks_at_the_token_so_far_away_as_it_is_to(model):
    model.set_attn_implementation("eager")
    ids = torch.randint(5, 69, (4, 102), generator=torch.Generator().manual_seed(1))
    ids[:, 0], ids[:, -1] = 2, 3
    with torch.no_grad():
        attentions = model(ids, output_attentions=True).attentions
    for layer, offsets in zip(attentions, ((-1, 1, -3, 3), (-2, 2, -6, 6)), strict=True):
        for head, offset in enumerate(offsets):
            rows = torch.arange(10, 92)
            found = layer[:, head, rows].argmax(dim=-1) - rows
            assert (found == offset).float().mean() > 0.95, (head, offset)
            assert layer[:, head, rows, rows + offset].mean() > 0.2  # 1 in 102 if all were alike


def test_kmers_that_share_bases_in_place_have_similar_vectors(model):
    vectors = model.bert.embeddings.word_embeddings.weight[5:]
    similarity = torch.nn.functional.cosine_similarity(vectors[:, None], vectors[None], dim=-1)
    kmers = torch.arange(64)
    digits = torch.stack([kmers // 16, kmers // 4 % 4, kmers % 4])
    n_shared = (digits[:, :, None] == digits[:, None]).sum(dim=0)
    means = [similarity[n_shared == n].mean().item() for n in range(4)]
    # The vectors of the four bases of a place sum to 0, so two of them have a cosine of -1/3; so
    # have k-mers without a base in common, and each base shared adds 4/9, less the noise.
    assert means == pytest.approx([-1 / 3, 1 / 9, 5 / 9, 1], abs=0.06)


def test_positions_have_dimensions_of_their_own(model):
    embeddings = model.bert.embeddings
    assert not embeddings.word_embeddings.weight[:, :WIDTH].any()
    assert not embeddings.position_embeddings.weight[:, WIDTH:].any()
    assert not embeddings.token_type_embeddings.weight.any()
    positions = embeddings.position_embeddings.weight[:, :WIDTH]
    # A sine and its cosine at each frequency: all positions are as long, and all are different.
    assert torch.allclose(positions.square().sum(dim=1), torch.tensor(0.05**2 * WIDTH))
    assert torch.cdist(positions, positions).add(torch.eye(512)).min() > 1e-3


def test_words_and_positions_are_of_the_size_of_random_ones(model):
    embeddings = model.bert.embeddings
    words, positions = embeddings.word_embeddings.weight, embeddings.position_embeddings.weight
    assert words[5:, WIDTH:].std().item() == pytest.approx(0.05, rel=0.15)
    assert positions[:, :WIDTH].square().mean().sqrt().item() == pytest.approx(0.05)


def test_special_tokens_have_vectors_of_their_own_and_the_head_stays_tied(model):
    words = model.bert.embeddings.word_embeddings.weight
    assert words[:5, WIDTH:].abs().sum(dim=1).min() > 0
    assert model.cls.predictions.decoder.weight is words


def test_torchs_seed_decides_the_weights():
    first, second = build().state_dict(), build().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    model = build()
    initialise_structured(model)
    name = "bert.embeddings.word_embeddings.weight"
    assert not torch.equal(model.state_dict()[name], first[name])


def test_all_parameters_can_be_trained():
    model = build()
    ids = torch.randint(5, 69, (2, 20))
    model(ids, labels=ids).loss.backward()
    unused = {name for name, value in model.named_parameters() if value.grad is None}
    assert unused == set()
    assert all(value.isfinite().all() for value in model.parameters())


@pytest.mark.parametrize(
    ("hidden", "heads", "message"),
    [
        (30, 2, "of an even number of dimensions; got 2 of 15"),
        (32, 1, "two heads or more.* 1 of 32"),
    ],
)
def test_heads_that_cannot_hold_sines_and_cosines_are_refused(hidden, heads, message):
    with pytest.raises(ValueError, match=message):
        build(hidden_size=hidden, num_attention_heads=heads)


def test_positions_are_carried_on_from_the_trained_ones():
    model = build()
    place = torch.arange(512, dtype=torch.float64)
    # The two fastest of 16 frequencies from 2.5 to 0.01 radians a token, by a common factor.
    fastest, second = 2.5, 2.5 * (0.01 / 2.5) ** (1 / 15)
    wave = 3 * torch.sin(fastest * place + 1) + 1
    sum_of_two = torch.cos(fastest * place) - 2 * torch.sin(second * place)
    positions = model.bert.embeddings.position_embeddings.weight
    with torch.no_grad():
        positions[1:127, 5], positions[1:127, 40] = wave[1:127], sum_of_two[1:127]
    before = positions.detach().clone()
    extend_positions(model, 126)
    assert torch.equal(positions[:127], before[:127])
    # Within 1 % of what goes up to 4 and down to -2.
    assert (positions[127:, 5] - wave[127:]).abs().max() < 0.03
    assert (positions[127:, 40] - sum_of_two[127:]).abs().max() < 0.03


def test_positions_are_not_carried_on_from_none():
    with pytest.raises(ValueError, match=r"from 1 trained ones or more, got 0; train on longer"):
        extend_positions(build(), 0)
