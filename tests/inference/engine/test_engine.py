import logging

import numpy as np
import pytest
import torch

from dnabert_hf import DNABertForMaskedLM
from dnabert_hf.inference.engine import engine as engine_module
from dnabert_hf.inference.engine.checkpoint import Checkpoint
from dnabert_hf.inference.engine.engine import Engine, Window, cut_into_windows


def token_sums(model, inputs):
    """Give the sum of the token ids of each row, padding (id 0) included."""
    return inputs["input_ids"].sum(dim=1)


def random_dna(rng, n_bases):
    return "".join(rng.choice(list("ACGT"), n_bases))


@pytest.mark.parametrize("n_kmers", [1, 2, 5, 100])
def test_each_kmer_is_in_one_window(n_kmers):
    sequence = random_dna(np.random.default_rng(0), 23)
    windows = cut_into_windows(sequence, k=4, n_kmers=n_kmers)
    found = [w.sequence[i : i + 4] for w in windows for i in range(len(w.sequence) - 3)]
    assert found == [sequence[i : i + 4] for i in range(20)]
    assert max(len(w.sequence) - 3 for w in windows) <= n_kmers


def test_results_come_in_the_order_of_the_windows(checkpoint):
    rng = np.random.default_rng(0)
    windows = [Window(random_dna(rng, n)) for n in (5, 17, 3, 9, 17, 4)]
    engine = Engine(checkpoint, device="cpu", batch_tokens=20)
    results = engine.run(windows, token_sums)
    expected = [sum(checkpoint.tokenizer(w.sequence)["input_ids"]) for w in windows]
    assert [int(result) for result in results] == expected


def test_a_device_that_computes_while_the_host_goes_on_gives_the_same(checkpoint, monkeypatch):
    rng = np.random.default_rng(0)
    windows = [Window(random_dna(rng, n)) for n in (5, 17, 3, 9, 17, 4)]
    engine = Engine(checkpoint, device="cpu", batch_tokens=20)
    expected = engine.run(windows, lambda model, inputs: model(**inputs).logits)
    monkeypatch.setattr(engine_module, "_AHEAD", {"cpu": 2})
    begun, done = [], []

    def compute(model, inputs):
        begun.append((len(inputs["input_ids"]), len(done)))
        return model(**inputs).logits

    engine.on_batch = done.append
    results = engine.run(windows, compute)
    assert np.array_equal(results, expected)
    # A batch counts as done when its results have arrived: two are on their way before.
    assert [n_done for _, n_done in begun] == [0, 0, 0, 1]
    assert len(done) == len(begun) == 4
    assert sum(done) == pytest.approx(1)


def test_rows_of_very_different_lengths_are_kept_apart(checkpoint, monkeypatch):
    monkeypatch.setattr(engine_module, "_BUSY_TOKENS", {"cpu": 60})
    engine = Engine(checkpoint, device="cpu", batch_tokens=200)
    shapes = []

    def note_shape(model, inputs):
        shapes.append(tuple(inputs["input_ids"].shape))
        return token_sums(model, inputs)

    rng = np.random.default_rng(0)
    lengths = (40, 40, 39, 20, 20, 10, 10, 10, 3)
    engine.run([Window(random_dna(rng, n)) for n in lengths], note_shape)
    # 60 tokens or 95 % of the longest, and never more than 200 tokens.
    assert shapes == [(3, 40), (3, 20), (3, 10)]
    shapes.clear()
    engine.run([Window(random_dna(rng, n)) for n in (40, 40, 40, 39, 39, 39)], note_shape)
    assert shapes == [(5, 40), (1, 39)]


def test_equal_windows_are_computed_once(checkpoint):
    engine = Engine(checkpoint, device="cpu", batch_tokens=20)
    seen, shares = [], []

    def note_rows(model, inputs):
        seen.extend(inputs["input_ids"].tolist())
        return token_sums(model, inputs)

    engine.on_batch = shares.append
    windows = [Window(each) for each in ("ACGTA", "TTTTT", "ACGTA", "ACG", "TTTTT", "ACGTA")]
    pairs = [Window("ACG", "TTT"), Window("TTT", "ACG"), Window("ACG", "TTT")]
    for given in (windows, pairs):
        seen.clear()
        shares.clear()
        results = [int(result) for result in engine.run(given, note_rows)]
        assert results == [
            sum(checkpoint.tokenizer(each.sequence, each.sequence_b)["input_ids"]) for each in given
        ]
        assert len(seen) == len(set(given))
        assert sum(shares) == pytest.approx(1)


def test_numbers_stay_with_their_windows(checkpoint):
    rng = np.random.default_rng(0)
    windows = [Window(random_dna(rng, n)) for n in (5, 17, 3, 9, 17, 4)]
    extras = {"number": np.arange(6), "pair": rng.random((6, 2))}
    engine = Engine(checkpoint, device="cpu", batch_tokens=20)
    results = engine.run(
        windows,
        lambda _, inputs: torch.column_stack([inputs["number"], inputs["pair"]]),
        extras=extras,
    )
    np.testing.assert_allclose(results, np.column_stack([*extras.values()]), rtol=1e-6)


def test_batches_hold_no_more_tokens_than_asked_for(checkpoint):
    shapes = []

    def note_shape(model, inputs):
        shapes.append(tuple(inputs["input_ids"].shape))
        return inputs["input_ids"].sum(dim=1)

    engine = Engine(checkpoint, device="cpu", batch_tokens=16)
    engine.run([Window("A" * n) for n in (3, 4, 5, 6, 30)], note_shape)
    # k = 3: a sequence of n bases has n - 2 k-mers, [CLS] and [SEP].
    assert shapes == [(1, 30), (2, 6), (2, 4)]


def test_a_batch_without_padding_has_no_attention_mask(checkpoint):
    engine = Engine(checkpoint, device="cpu")
    assert "attention_mask" not in engine.tokenize([Window("ACGT"), Window("TTTT")])
    assert "attention_mask" in engine.tokenize([Window("ACGT"), Window("TTTTT")])


@pytest.mark.parametrize(
    "error",
    [torch.cuda.OutOfMemoryError("CUDA out of memory"), RuntimeError("can't allocate memory")],
)
@pytest.mark.parametrize("n_ahead", [0, 2])
def test_a_batch_that_does_not_fit_is_halved(checkpoint, caplog, monkeypatch, error, n_ahead):
    monkeypatch.setattr(engine_module, "_AHEAD", {"cpu": n_ahead})
    sizes = []

    def compute(model, inputs):
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > 2:
            raise error
        return token_sums(model, inputs)

    engine = Engine(checkpoint, device="cpu")
    windows = [Window(f"ACG{a}{b}") for a in "ACG" for b in "ACG"]
    with caplog.at_level(logging.WARNING, logger="dnabert_hf"):
        results = engine.run(windows, compute)
    # 9 do not fit, nor do 4; 2 do.
    assert sizes == [9, 4, 2, 2, 2, 2, 1]
    wanted = [sum(checkpoint.tokenizer(each.sequence)["input_ids"]) for each in windows]
    assert [int(result) for result in results] == wanted
    assert "out of memory with 9 sequences a batch: going on with half" in caplog.text


def test_one_sequence_that_does_not_fit_is_an_error(checkpoint):
    def compute(model, inputs):
        raise RuntimeError("can't allocate memory: you tried to allocate 9 bytes")

    with pytest.raises(RuntimeError, match="tried to allocate 9 bytes"):
        Engine(checkpoint, device="cpu").run([Window("ACGT")], compute)


def test_other_errors_are_not_taken_for_lack_of_memory(checkpoint):
    def compute(model, inputs):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        Engine(checkpoint, device="cpu").run([Window("ACGT")] * 2, compute)


def test_the_callers_model_is_not_changed(checkpoint):
    checkpoint.model.train()
    engine = Engine(checkpoint, device="cpu", dtype="bfloat16")
    assert checkpoint.model.training
    assert {p.dtype for p in checkpoint.model.parameters()} == {torch.float32}
    assert not engine.model.training
    layer = engine.model.bert.encoder.layer[0]
    assert layer.intermediate.dense.weight.dtype == torch.bfloat16
    # What the products are added to, the pooler and the head stay in float32.
    assert layer.output.LayerNorm.weight.dtype == torch.float32
    assert engine.model.bert.pooler.dense.weight.dtype == torch.float32
    assert engine.model.classifier.weight.dtype == torch.float32


def test_weights_that_are_as_needed_are_used_and_not_copied(checkpoint):
    model = checkpoint.model.train()
    flags = [parameter.requires_grad for parameter in model.parameters()]
    engine = Engine(checkpoint, device="cpu", dtype="float32")
    for own, run in zip(model.parameters(), engine.model.parameters(), strict=True):
        assert own.data_ptr() == run.data_ptr()
        assert not run.requires_grad
    engine.model.set_attn_implementation("eager")
    assert model.config._attn_implementation == "sdpa"
    assert all(module.training for module in model.modules())
    assert [parameter.requires_grad for parameter in model.parameters()] == flags


def test_a_model_of_the_caller_in_16_bits_is_not_changed(checkpoint):
    model = checkpoint.model.to(torch.bfloat16)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for dtype in ("float32", "bfloat16", "int8"):
        engine = Engine(checkpoint, device="cpu", dtype=dtype)
        engine.run([Window("ACGTACGT")], lambda m, inputs: m(**inputs).logits)
    for name, value in model.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])


def test_batches_tell_their_share_of_the_tokens(checkpoint):
    engine = Engine(checkpoint, device="cpu", batch_tokens=1)  # a row at a time
    shares = []
    engine.on_batch = shares.append
    engine.run([Window("ACGT"), Window("ACGTACGT")], token_sums, weight=0.5)
    # 8 and 4 tokens, the longer window first, and half of the work on the chunk.
    assert shares == pytest.approx([0.5 * 8 / 12, 0.5 * 4 / 12])


def test_batch_tokens_must_be_positive(checkpoint):
    with pytest.raises(ValueError, match="batch_tokens must be 1 or more, got 0"):
        Engine(checkpoint, batch_tokens=0)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_masked_language_models_run_too(tiny_config, tokenizer, dtype):
    model = DNABertForMaskedLM(tiny_config).eval()
    engine = Engine(Checkpoint(model, tokenizer, "tiny", is_ours=False), device="cpu", dtype=dtype)
    (logits,) = engine.run([Window("ACGTACGT")], lambda m, inputs: m(**inputs).logits)
    with torch.no_grad():
        expected = model(**tokenizer("ACGTACGT", return_tensors="pt")).logits[0].numpy()
    np.testing.assert_allclose(logits, expected, atol=0.05 * np.abs(expected).max())


def test_a_model_loaded_with_eager_attention_runs_in_bfloat16(checkpoint):
    checkpoint.model.set_attn_implementation("eager")
    engine = Engine(checkpoint, device="cpu", dtype="bfloat16")
    windows = [Window("ACGTACGT"), Window("ACGT")]  # padded, so that there is a mask
    assert len(engine.run(windows, lambda model, inputs: model(**inputs).logits)) == 2
    assert checkpoint.model.config._attn_implementation == "eager"
