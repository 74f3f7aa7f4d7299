import pytest

from dnabert_hf.cli.options.dataset import parse_classes, parse_columns
from dnabert_hf.cli.options.shared import add_fields, parse_fields
from dnabert_hf.cli.options.training import parse_data
from dnabert_hf.inference.engine.precision import choose_device
from dnabert_hf.training.pretraining.recipes import PretrainingRecipe
from dnabert_hf.training.shared.arguments import parse_arguments
from dnabert_hf.training.shared.initialisation import load_classifier_config


@pytest.mark.parametrize(
    ("parse", "given", "message"),
    [
        (parse_fields, ["k"], "a field must be written name=value, got 'k'"),
        (parse_fields, ["=5"], "a field must be written name=value, got '=5'"),
        (parse_fields, ["dropout=NaN"], "the value of dropout must be finite, or text, got 'NaN'"),
        (parse_fields, ["eps=1e400"], "the value of eps must be finite, or text, got '1e400'"),
        (
            parse_fields,
            ["a=" + "[" * 9999],
            r"value of a must be finite, .* got '\[{40}\.\.\.'",
        ),
        (parse_fields, ["k=3", "k=4"], "k must be given once, got 3 and 4; leave one out"),
        (parse_arguments, ["adam_beta1=nan"], "adam_beta1 must be a finite number, got nan"),
        (parse_arguments, ["logging_steps=1e400"], "logging_steps must be a finite number, got"),
        (parse_data, ["train=a", "train=b"], "a split must be one file, got a and b for train"),
        (parse_data, ["=a"], "data must be written SPLIT=FILE, got =a"),
        (parse_data, ["train="], "data must be written SPLIT=FILE, got train="),
        (parse_columns, "a,b,b", "columns must be three different names .* got 'a,b,b'"),
        (parse_columns, "a,,b", "columns must be three different names .* got 'a,,b'"),
        (parse_classes, ["E="], "regions must be written FILE or LETTER=FILE, got 'E='"),
        (parse_classes, [""], "regions must be written FILE or LETTER=FILE, got ''"),
        (choose_device, "meta", "device must be one that torch can use here, got 'meta'"),
    ],
)
def test_what_says_nothing_or_two_things_is_refused(parse, given, message):
    with pytest.raises(ValueError, match=message):
        parse(given)


def test_null_is_a_value():
    assert parse_fields(["classifier_dropout=null"]) == {"classifier_dropout": None}


@pytest.mark.parametrize("field", ["dtype=x", "id2label=1", "hidden_size=null"])
@pytest.mark.parametrize("start", ["random", "cnn"])
def test_fields_of_transformers_itself_are_refused_in_a_line(field, start):
    with pytest.raises(ValueError, match="config fields must"):
        load_classifier_config(start, parse_fields([field]))


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("hidden_size=63", "a multiple of num_attention_heads, got 63 with 12 heads"),
        ("num_attention_heads=0", "num_attention_heads must be 1 or more, got 0"),
        ("hidden_size=-768", "hidden_size must be 1 or more, got -768"),
        ("hidden_act=gelú", "hidden_act must be an activation of .*, got 'gelú'"),
        ("hidden_dropout_prob=1.5", "hidden_dropout_prob must be from 0 to 1, got 1.5"),
        ("classifier_dropout=-0.1", "classifier_dropout must be from 0 to 1, got -0.1"),
    ],
)
def test_fields_that_make_no_network_are_refused_before_the_data_are_read(field, message):
    with pytest.raises(ValueError, match=f"random: config fields must make a network: .*{message}"):
        load_classifier_config("random", parse_fields([field]))


def test_an_option_and_a_field_may_agree_but_not_contradict():
    assert add_fields({"k": 3}, {"k": 3, "seed": None}) == {"k": 3}
    with pytest.raises(ValueError, match="k must be given once, got 3 and 4"):
        add_fields({"k": 3}, {"k": 4})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("mlm_probability", "high", "must be a number above 0 and at most 1, got 'high'"),
        ("late_mlm_probability", True, "must be a number above 0 and at most 1, got True"),
        ("muon_learning_rate", 0, "must be a number above 0 and at most 1, got 0"),
        ("per_span", "yes", "per_span must be true or false, got 'yes'"),
        ("max_tokens", 1000, "max_tokens must be 1 to 510 k-mers, got 1000"),
        ("extend_from", 2.5, "extend_from must be 1 to 510 k-mers, got 2.5"),
        ("optimizer", 1, "optimizer must be known by name, got 1"),
    ],
)
def test_fields_of_a_recipe_are_of_their_kind(field, value, message):
    with pytest.raises(ValueError, match=message):
        PretrainingRecipe(**{field: value})
