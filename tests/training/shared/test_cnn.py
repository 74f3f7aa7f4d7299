import numpy as np
import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from dnabert_hf import DNABertTokenizer
from dnabert_hf.data.building.simulation import simulate_binding
from dnabert_hf.training.shared.cnn import (
    DNACnnConfig,
    DNACnnForSequenceClassification,
    one_hot_bases,
)

ARCHITECTURES = ("cnn", "cnn-lstm", "cnn-gru")
SMALL = {"num_filters": 8, "filter_width": 5, "pool_width": 4, "rnn_size": 6, "dense_size": 7}


def make_model(architecture="cnn", **fields):
    config = DNACnnConfig(architecture=architecture, **(SMALL | fields))
    return DNACnnForSequenceClassification(config).eval()


def encode(sequences, k=3, **options):
    return DNABertTokenizer(k=k, **options)(sequences, padding=True, return_tensors="pt")


def read_bases(sequences, k=3, **options):
    """Letters of the one-hot columns of each sequence, "." for a column of zeros."""
    batch = encode(sequences, k, **options)
    bases, n_bases = one_hot_bases(batch["input_ids"], batch["attention_mask"], k=k)
    assert bases.sum(dim=1).max() == 1
    digits = torch.where(bases.any(dim=1), bases.argmax(dim=1), 4)
    return ["".join("ATCG."[digit] for digit in row) for row in digits.tolist()], n_bases.tolist()


def test_one_hot_has_a_row_for_a_t_c_and_g_and_a_column_for_every_base():
    batch = encode(["ATGC"])
    bases, n_bases = one_hot_bases(batch["input_ids"], None, k=3)
    assert bases.tolist() == [[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]]
    assert n_bases.tolist() == [4]


@pytest.mark.parametrize("k", range(2, 9))
@pytest.mark.parametrize("padding_side", ["left", "right"])
def test_bases_are_read_back_whatever_the_k_and_the_padding(k, padding_side):
    letters, n_bases = read_bases(["ATGGCTAC", "CCATGGCTACG"], k, padding_side=padding_side)
    assert letters == ["ATGGCTAC...", "CCATGGCTACG"]
    assert n_bases == [8, 11]


def test_only_an_unknown_letter_is_lost_unless_it_is_near_an_end():
    """With k = 3, every k-mer over the last two bases of the second sequence holds the N."""
    assert read_bases(["ATGGNCTTA", "ATGGCTNTA"])[0] == ["ATGG.CTTA", "ATGGCT..."]


def test_a_masked_base_is_zero_and_special_tokens_give_none():
    assert read_bases(["ATGG[MASK]CTTA"]) == (["ATGG.CTTA"], [9])


def test_the_sequences_of_a_pair_have_one_empty_column_between_them():
    batch = DNABertTokenizer(k=3)(["ATGG"], ["CCATT"], return_tensors="pt")
    bases, n_bases = one_hot_bases(batch["input_ids"], None, k=3)
    assert n_bases.tolist() == [10]
    assert bases[0].sum(dim=0).tolist() == [1, 1, 1, 1, 0, 1, 1, 1, 1, 1]
    assert bases[0, :, 5:].argmax(dim=0).tolist() == [2, 2, 0, 1, 1]


def test_a_row_without_bases_is_one_unknown_base():
    bases, n_bases = one_hot_bases(torch.tensor([[2, 3, 0]]), None, k=3)
    assert (bases.tolist(), n_bases.tolist()) == ([[[0.0]] * 4], [1])


def test_ids_of_another_k_are_refused():
    with pytest.raises(ValueError, match="must be below 69, the vocabulary of k = 3; the largest"):
        make_model()(**encode(["GGGGGG"], k=4))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("padding_side", ["left", "right"])
def test_padding_does_not_change_a_result(architecture, padding_side):
    model = make_model(architecture, num_labels=3)
    # An LSTM whose states are all near -1 would show a maximum taken from the padding.
    with torch.no_grad():
        model.convolution.bias += 1
    sequences = ["ATG", "ATGGCTTACGATTGCAAC", "GGGCATTT"]
    together = model(**encode(sequences, padding_side=padding_side)).logits
    alone = torch.cat([model(**encode([sequence])).logits for sequence in sequences])
    assert together.shape == (3, 3)
    assert torch.allclose(together, alone, atol=1e-5)
    assert (alone[0] - alone[2]).abs().max() > 1e-3


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("n_bases", [3, 4000])
def test_sequences_of_any_length_are_taken(architecture, n_bases):
    logits = make_model(architecture)(**encode(["ACG" * (n_bases // 3)])).logits
    assert logits.shape == (1, 2)


def test_the_cnn_gives_the_best_match_of_a_filter_anywhere():
    """The only filter counts the letters that agree with GATTA."""
    model = make_model(num_filters=1, dense_size=1, num_labels=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.convolution.weight[0, ["ATCG".index(base) for base in "GATTA"], range(5)] = 1
        model.dense.weight.fill_(1)
        model.classifier.weight.fill_(1)
    logits = model(**encode(["CCGATTACC", "CCGATCACC", "TTACCCCCC", "CCCCCCGATT"])).logits
    assert logits.flatten().tolist() == [5, 4, 3, 4]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_saved_model_loads_by_the_auto_classes_and_gives_the_same(architecture, tmp_path):
    model = make_model(architecture, num_labels=4)
    model.save_pretrained(tmp_path)
    DNABertTokenizer(k=3).save_pretrained(tmp_path)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    batch = AutoTokenizer.from_pretrained(tmp_path)(["ATGGCTTACG"], return_tensors="pt")
    assert type(loaded) is DNACnnForSequenceClassification
    assert loaded(**batch).logits.equal(model(**batch).logits)
    config = AutoConfig.from_pretrained(tmp_path)
    assert (config.architecture, config.num_filters, config.num_labels) == (architecture, 8, 4)


def test_the_loss_is_that_of_the_problem_type():
    batch = encode(["ATGGCT", "GGGCAT"])
    for problem_type, labels, loss_of in (
        ("single_label_classification", torch.tensor([0, 1]), torch.nn.CrossEntropyLoss()),
        (
            "multi_label_classification",
            torch.tensor([[0, 1], [1, 1]]),
            torch.nn.BCEWithLogitsLoss(),
        ),
        ("regression", torch.tensor([[0, 3], [1, 2]]), torch.nn.MSELoss()),
    ):
        model = make_model(problem_type=problem_type)
        outputs = model(**batch, labels=labels)
        expected = labels if labels.ndim == 1 else labels.float()
        assert outputs.loss.item() == pytest.approx(loss_of(outputs.logits, expected).item())
    model = make_model()
    loss, logits = model(**batch, labels=torch.tensor([0, 1]), return_dict=False)
    assert loss.item() == pytest.approx(
        torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1])).item()
    )


def test_default_sizes_are_those_of_the_papers():
    cnn, lstm, gru = (DNACnnConfig(architecture=name) for name in ARCHITECTURES)
    assert (cnn.num_filters, cnn.filter_width, cnn.dense_size) == (128, 24, 32)
    for config in (lstm, gru):
        assert (config.num_filters, config.filter_width, config.dense_size) == (320, 26, 925)
        assert (config.pool_width, config.rnn_size) == (13, 320)
    # 320 filters of 26 bases, four gates of 320 units in two directions, 925 and 2 units
    n_lstm = 320 * (26 * 4 + 1) + 2 * 4 * 320 * (320 + 320 + 2) + 925 * 641 + 2 * 926
    n_cnn = 128 * (24 * 4 + 1) + 32 * 129 + 2 * 33
    assert DNACnnForSequenceClassification(lstm).num_parameters() == n_lstm
    assert DNACnnForSequenceClassification(cnn).num_parameters() == n_cnn


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_weights_begin_within_the_bound_of_their_inputs(architecture):
    model = make_model(architecture, filter_width=25)
    weights = model.convolution.weight
    assert 0.08 < weights.abs().max() <= 0.1  # 1 / sqrt(25 x 4)
    if architecture != "cnn":
        assert 0.3 < model.rnn.weight_hh_l0.abs().max() <= 6**-0.5


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"architecture": "rnn"}, "architecture"),
        ({"k": 9}, "k must be from 2 to 8, got 9"),
        ({"num_filters": 0}, "num_filters must be 1 or more, got 0"),
        ({"num_filters": 2.5}, "num_filters"),
        ({"pool_width": 0}, "pool_width must be 1 or more, got 0"),
        ({"dropout": 1}, " dropout must be at least 0 and below 1, got 1"),
        ({"filter_dropout": -0.1}, "filter_dropout must be at least 0 and below 1, got -0.1"),
    ],
)
def test_fields_that_make_no_network_are_refused(fields, message):
    with pytest.raises(StrictDataclassError, match=message):
        DNACnnConfig(**fields)


def learn(labels_of, n=1000):
    """Train a CNN on bound and free sequences; its accuracy on 300 it has not seen."""
    simulated = simulate_binding(n + 300, np.random.default_rng(0), length=60)
    ids = encode([item.sequence for item in simulated])["input_ids"]
    is_bound = torch.tensor([int(item.is_bound) for item in simulated])
    labels = labels_of(is_bound)
    model = DNACnnForSequenceClassification(DNACnnConfig()).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(8):
        for rows in torch.randperm(n).split(32):
            model(ids[rows], labels=labels[rows]).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    with torch.inference_mode():
        predicted = model.eval()(ids[n:]).logits.argmax(dim=1)
    return float((predicted == is_bound[n:]).float().mean())


def test_a_cnn_learns_a_planted_motif_and_nothing_from_shuffled_labels():
    assert learn(lambda labels: labels) > 0.85
    assert abs(learn(lambda labels: labels[torch.randperm(len(labels))]) - 0.5) < 0.12
