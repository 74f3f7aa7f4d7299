import pytest

from dnabert_hf.cards.pretrained import pretraining_card
from dnabert_hf.training.pretraining.recipes import PRESETS

SCORES = {"bits_per_base": 1.9, "standard_error": 0.01, "accuracy": 0.4, "perplexity": 5.0}


def make_report(*, preset="mini", scores=None, held_out=(), **recipe):
    chosen = PRESETS[preset]
    fields = {name: getattr(chosen, name) for name in chosen.__dataclass_fields__} | recipe
    stage = {
        "model": "random",
        "max_tokens": 510,
        "steps": 1200,
        "segments_a_step": 32,
        "tokens": 9_600_000,
        "learning_rate": 0.003,
        "mlm_probability": fields["mlm_probability"],
        "train_seconds": 600,
        "seed": 7,
    }
    return {
        "preset": preset,
        "recipe": fields,
        "k": 6,
        "layers": 4,
        "hidden_size": 256,
        "parameters": 4_400_000,
        "genome": "abc",
        "data": {"files": ["yeast.fa.gz"], "contigs": 17, "bases": 12_160_000},
        "held_out": list(held_out),
        "scores": scores,
        "stages": [stage],
    }


def make_card(**options):
    comparison = options.pop("comparison", None)
    card = pretraining_card(make_report(**options), name="yeast-6", comparison=comparison)
    return " ".join(card.split())


def test_the_card_tells_data_recipe_steps_tokens_and_scores():
    scores = SCORES | {"n_bases": 24_000}
    card = make_card(scores=scores, held_out=["chrXVI", "chrI:0-1000"], mlm_probability=0.3)
    assert "`yeast.fa.gz`: 17 contigs, of which 12.16 million known bases were trained on" in card
    assert "Held out: `chrXVI`, `chrI:0-1000`." in card
    assert "| 510 | 1,200 | 32 | 9.6 | 0.003 | 0.3 | 10 | 7 |" in card
    assert "Training began from random weights." in card
    assert "On 24,000 bases of held-out DNA, each masked alone: 1.9000 bits per base" in card
    assert "Nothing was held out." in make_card()


@pytest.mark.parametrize(
    ("options", "sentences"),
    [
        (
            {"preset": "paper"},
            "Preset `paper`: segments cut side by side and as many drawn from any position. "
            "Spans of 6 contiguous k-mers are masked, a share of 0.2 in the last sixth of the "
            "steps; 80 % of them become [MASK], 10 % random k-mers, and 10 % stay, drawn for each "
            "k-mer.",
        ),
        (
            {"segments": "cut"},
            "Preset `mini`: segments cut side by side, half of them read from the opposite "
            "strand. Spans of 6 contiguous k-mers are masked; 80 % of them become [MASK], 10 % "
            "random k-mers, and 10 % stay, drawn for each span.",
        ),
        (
            {"segments": "sample", "masking": "random"},
            "segments drawn from any position, half of them read from the opposite strand. "
            "Spans of 6 contiguous k-mers and, as training goes on, more are masked; 80 %",
        ),
    ],
)
def test_the_card_tells_the_recipe(options, sentences):
    assert sentences in make_card(**options)


def test_the_card_names_what_knows_more_than_the_model():
    rows = {"model": SCORES}
    for name, bits in {"random weights": 2.0, "Markov order 11, left": 1.8, "counts": 1.7}.items():
        rows[name] = SCORES | {"bits_per_base": bits}
    sentence = "Masked bases are predicted better by Markov order 11, left; counts."
    assert make_card(comparison=rows).endswith(sentence)
    rows["model"] = SCORES | {"bits_per_base": 1.6}
    assert make_card(comparison=rows).endswith("Not for clinical use.")
    assert make_card().endswith("Not for clinical use.")
