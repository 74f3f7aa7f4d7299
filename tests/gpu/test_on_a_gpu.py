"""Everything with a device path, on a GPU against the same on the CPU.

    pytest -m gpu tests/gpu

DNABERT_HF_TEST_DEVICE=cpu runs the same tests without a GPU, to see that they are sound.
"""

import copy
import csv
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from dnabert_hf import (
    DataCollatorForContiguousKmerMasking,
    DNABertConfig,
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertModel,
    DNABertTokenizer,
    attention_scores,
    attribution_scores,
    embed,
    evaluate_masked_lm,
    mutagenesis,
    open_genome,
    predict,
    pretrain,
    scan,
    score_variants,
)
from dnabert_hf.inference.engine.checkpoint import as_checkpoint
from dnabert_hf.inference.engine.engine import Engine

DEVICE = os.environ.get("DNABERT_HF_TEST_DEVICE", "cuda")
FLOAT32 = {"dtype": "float32"}
SIZES = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 256}

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        DEVICE == "cuda" and not torch.cuda.is_available(), reason="torch sees no CUDA device"
    ),
    # Names that transformers and peft still use for each other's versions.
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(autouse=True)
def _exact_products(monkeypatch):
    """Compare in full float32: TF32, which cuDNN's GRU takes unless told not to, has 10 bits."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    yield
    torch.set_float32_matmul_precision(before)


@pytest.fixture
def config():
    return DNABertConfig(k=6, hidden_size=64, initializer_range=0.1, num_labels=3, **SIZES)


def sequences(n, shortest, longest, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, longest + 1, n)
    return ["".join(rng.choice(list("ACGT"), length)) for length in lengths]


def probabilities(model, inputs, **options):
    rows = predict(model, inputs, tokenizer=DNABertTokenizer(k=6), **options)
    return np.array([list(row.probabilities.values()) for row in rows])


@pytest.fixture
def genome(tmp_path, monkeypatch):
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))
    (one,) = sequences(1, 3000, 3000, seed=5)
    path = tmp_path / "genome.fa"
    path.write_text(f">a\n{one[:2400]}\n>b\n{one[2400:]}\n")
    return path


def table(path):
    with path.open() as stream:
        return list(csv.reader(stream, delimiter="\t"))


def assert_tables_agree(first, second, tolerance):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        for a, b in zip(one, other, strict=True):
            try:
                assert float(a) == pytest.approx(float(b), abs=tolerance)
            except ValueError:
                assert a == b


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 2e-2), ("float16", 2e-2)]
)
def test_the_engine_gives_what_the_cpu_gives_in_order(config, dtype, tolerance):
    model = DNABertForSequenceClassification(config).eval()
    inputs = sequences(64, 6, 400)
    expected = probabilities(model, inputs, device="cpu", **FLOAT32)
    found = probabilities(model, inputs, device=DEVICE, dtype=dtype)
    assert np.abs(found - expected).max() < tolerance
    again = probabilities(model, inputs, device=DEVICE, dtype=dtype)
    assert np.array_equal(found, again)


def test_a_model_that_is_on_the_device_already_is_used_as_it_is(config):
    model = DNABertForSequenceClassification(config)
    inputs = sequences(40, 6, 400)
    expected = probabilities(model, inputs, device="cpu", **FLOAT32)
    model.to(DEVICE, torch.bfloat16).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    checkpoint = as_checkpoint(model, DNABertTokenizer(k=6), task="sequence-classification")
    engine = Engine(checkpoint, device=DEVICE, dtype="auto")
    if DEVICE == "cuda":
        assert engine.dtype == "bfloat16"
        layer, own = (each.bert.encoder.layer[0] for each in (engine.model, model))
        assert layer.output.dense.weight.data_ptr() == own.output.dense.weight.data_ptr()
        assert engine.model.classifier.weight.dtype == torch.float32
    for dtype in ("auto", "bfloat16", "float32"):
        found = probabilities(model, inputs, device=DEVICE, dtype=dtype)
        assert np.abs(found - expected).max() < 2e-2
    assert all(module.training for module in model.modules())
    for name, value in model.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("lengths", [(100, 100), (20, 400)], ids=["unmasked", "masked"])
def test_many_batches_under_way_are_those_of_one_at_a_time(config, lengths):
    model = DNABertForSequenceClassification(config).eval().to(DEVICE)
    inputs = sequences(300, *lengths)
    options = {"device": DEVICE, "dtype": "float32"}
    whole = probabilities(model, inputs, **options)
    parts = probabilities(model, inputs, batch_tokens=1000, **options)
    assert np.abs(parts - whole).max() < 1e-5
    expected = probabilities(model, inputs, device="cpu", **FLOAT32)
    assert np.abs(parts - expected).max() < 1e-5


@pytest.mark.parametrize("pooling", ["mean", "lstm", "gru", "concat"])
def test_a_classifier_of_any_length(pooling):
    fields = {"segment_pooling": pooling} | ({"num_segments": 3} if pooling == "concat" else {})
    config = DNABertConfig(k=6, hidden_size=64, initializer_range=0.1, **SIZES, **fields)
    model = DNABertForSequenceClassification(config).eval()
    inputs = sequences(6, 600, 1400)
    expected = probabilities(model, inputs, device="cpu", **FLOAT32)
    assert np.abs(probabilities(model, inputs, device=DEVICE, **FLOAT32) - expected).max() < 1e-5


def test_embeddings_of_sequences_and_bases(config):
    model = DNABertModel(config).eval()
    tokenizer = DNABertTokenizer(k=6)
    inputs = sequences(8, 20, 700)
    for pooling in ("mean", "base"):
        first, second = (
            embed(model, inputs, pooling=pooling, tokenizer=tokenizer, device=d, **FLOAT32)
            for d in ("cpu", DEVICE)
        )
        for one, other in zip(first, second, strict=True):
            np.testing.assert_allclose(other.embedding, one.embedding, atol=2e-5)


def test_masked_bases_are_scored_alike(config, genome):
    model = DNABertForMaskedLM(config).eval()
    tokenizer = DNABertTokenizer(k=6)
    options = {"regions": ["a:0-2000"], "n_windows": 20, "tokenizer": tokenizer} | FLOAT32
    first, second = (
        evaluate_masked_lm(model, genome, device=d, **options).rows() for d in ("cpu", DEVICE)
    )
    for name, row in first.items():
        assert second[name]["bits_per_base"] == pytest.approx(row["bits_per_base"], abs=1e-4)


def test_attention_and_attributions(config):
    model = DNABertForSequenceClassification(config).eval()
    tokenizer = DNABertTokenizer(k=6)
    inputs = sequences(5, 60, 200)
    calls = [
        lambda d: attention_scores(model, inputs, tokenizer=tokenizer, device=d, **FLOAT32),
        lambda d: attention_scores(
            model, inputs, rollout=True, tokenizer=tokenizer, device=d, **FLOAT32
        ),
    ]
    for method in ("gradient_x_input", "occlusion"):
        calls.append(
            lambda d, method=method: attribution_scores(
                model,
                inputs,
                method=method,
                label="LABEL_1",
                tokenizer=tokenizer,
                device=d,
                **FLOAT32,
            )
        )
    for call in calls:
        for one, other in zip(call("cpu"), call(DEVICE), strict=True):
            np.testing.assert_allclose(other.scores, one.scores, atol=1e-4)


def test_variants_mutations_and_scans(config, genome, tmp_path):
    model = DNABertForSequenceClassification(config).eval()
    store = open_genome(genome)
    tokenizer = DNABertTokenizer(k=6)
    lines = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    for position in (500, 900, 1300):
        base = store.sequence("a", position - 1, position)
        lines.append(f"a\t{position}\t.\t{base}\t{'A' if base != 'A' else 'C'}\t.\t.\t.")
    vcf = tmp_path / "v.vcf"
    vcf.write_text("\n".join(lines) + "\n")
    shared = {"tokenizer": tokenizer, "label": "LABEL_1"} | FLOAT32
    for name, call in {
        "variants": lambda o, d: score_variants(
            model, vcf, store, output=o, window=101, device=d, **shared
        ),
        "mutagenesis": lambda o, d: mutagenesis(
            model, sequences(2, 40, 40), output=o, device=d, **shared
        ),
        "scan": lambda o, d: scan(model, store, output=o, window=101, step=50, device=d, **shared),
    }.items():
        outputs = [tmp_path / f"{name}.{d}.tsv" for d in ("cpu", "other")]
        for output, device in zip(outputs, ("cpu", DEVICE), strict=True):
            call(output, device)
        first, second = map(table, outputs)
        assert len(first) > 3
        assert_tables_agree(first, second, 2e-3 if name == "variants" else 1e-3)


def test_a_batch_that_does_not_fit_is_halved(config, monkeypatch, caplog):
    model = DNABertForSequenceClassification(config).eval()
    inputs = sequences(40, 100, 120)
    expected = probabilities(model, inputs, device="cpu", **FLOAT32)
    plain = DNABertModel.forward

    def greedy(self, *args, **kwargs):
        ids = kwargs.get("input_ids", args[0] if args else None)
        if ids is not None and len(ids) > 16:
            torch.empty(2**46, dtype=torch.float32, device=ids.device)  # 256 TiB
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(DNABertModel, "forward", greedy)
    found = probabilities(model, inputs, device=DEVICE, **FLOAT32)
    assert np.abs(found - expected).max() < 1e-5
    assert "out of memory" in caplog.text


@pytest.mark.parametrize(
    "fields",
    [
        {"bf16": True},
        {"fp16": True},
        {"bf16": True, "gradient_checkpointing": True},
        {"bf16": True, "torch_compile": True},
    ],
    ids=["bf16", "fp16", "checkpointing", "compile"],
)
def test_the_trainer_learns(fields, tmp_path):
    if DEVICE == "cpu" and ("fp16" in fields or "torch_compile" in fields):
        pytest.skip("for GPUs")
    tokenizer = DNABertTokenizer(k=6)
    config = DNABertConfig(k=6, hidden_size=64, initializer_range=0.05, num_labels=2, **SIZES)
    rows = [
        {**tokenizer(s), "labels": int(i % 2)}
        for i, s in enumerate(("GATTACA" * 8 if i % 2 else "CCGGTTA" * 8) for i in range(64))
    ]
    arguments = TrainingArguments(
        str(tmp_path),
        max_steps=30,
        learning_rate=1e-3,
        per_device_train_batch_size=16,
        report_to="none",
        use_cpu=DEVICE == "cpu",
        disable_tqdm=True,
        save_strategy="no",
        **fields,
    )
    model = DNABertForSequenceClassification(config)
    trainer = Trainer(model, arguments, train_dataset=rows, processing_class=tokenizer)
    result = trainer.train()
    assert result.training_loss < 0.5
    assert next(model.parameters()).device.type == DEVICE


def test_masked_lm_and_token_classifier_train_alike(config):
    torch.manual_seed(0)
    tokenizer = DNABertTokenizer(k=6)
    batch = DataCollatorForContiguousKmerMasking(tokenizer, seed=1)(sequences(8, 90, 120))
    for cls in (DNABertForMaskedLM, DNABertForTokenClassification):
        fields = copy.deepcopy(config)
        fields.hidden_dropout_prob = fields.attention_probs_dropout_prob = 0.0
        fields.classifier_dropout = 0.0
        model = cls(fields).train()
        other = copy.deepcopy(model).to(DEVICE)
        inputs = dict(batch)
        if cls is DNABertForTokenClassification:
            inputs["labels"] = torch.where(batch["labels"] < 0, -100, batch["labels"] % 3)
        model(**inputs).loss.backward()
        other(**{name: tensor.to(DEVICE) for name, tensor in inputs.items()}).loss.backward()
        for one, two in zip(model.parameters(), other.parameters(), strict=True):
            if one.grad is not None:
                torch.testing.assert_close(two.grad.cpu(), one.grad, atol=1e-5, rtol=1e-3)


class StopAt(TrainerCallback):
    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        if state.global_step == 2:
            os.kill(os.getpid(), signal.SIGTERM)


def test_pretraining_that_is_stopped_goes_on_with_the_same_losses(genome, tmp_path):
    def run(name, **options):
        return pretrain(
            genome,
            output_dir=tmp_path / name,
            preset="mini",
            config={"k": 3, "hidden_size": 64, "max_position_embeddings": 64} | SIZES,
            held_out=["b"],
            arguments={
                "max_steps": 6,
                "per_device_train_batch_size": 8,
                "logging_steps": 1,
                "eval_strategy": "no",
                "save_strategy": "no",
                "use_cpu": DEVICE == "cpu",
            },
            **options,
        )

    def losses(result):
        history = json.loads((result.output_dir / "metrics.json").read_text())["history"]
        return [entry["loss"] for entry in history if "loss" in entry]

    whole = run("whole")
    with pytest.raises(KeyboardInterrupt, match="stopped by SIGTERM at step 3 of 6"):
        run("parts", callbacks=[StopAt()])
    parts = run("parts", resume=True)
    # Sums of a GPU's backward pass come in no fixed order.
    assert losses(parts) == pytest.approx(losses(whole), abs=2e-3)


def test_predictions_under_torchrun(config, tmp_path):
    tokenizer = DNABertTokenizer(k=6)
    model = DNABertForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    inputs = sequences(20, 50, 90)
    fasta = tmp_path / "in.fa"
    fasta.write_text("".join(f">r{i}\n{s}\n" for i, s in enumerate(inputs)))
    arguments = [str(tmp_path / "model"), str(fasta), "--device", DEVICE, "--dtype", "float32"]
    code = "import sys; from dnabert_hf.cli.main import main; main()"
    script = tmp_path / "run.py"
    script.write_text(code)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=1"]
    for name, prefix in {"alone": [sys.executable], "launched": launch}.items():
        command = [*prefix, str(script), "predict", *arguments, "-o", str(tmp_path / f"{name}.tsv")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "alone.tsv").read_bytes() == (tmp_path / "launched.tsv").read_bytes()


def test_lora_trains_and_merges(config):
    peft = pytest.importorskip("peft")
    model = DNABertForSequenceClassification(config).to(DEVICE)
    settings = peft.LoraConfig(task_type="SEQ_CLS", target_modules=["query", "value"], r=4)
    adapted = peft.get_peft_model(model, settings)
    inputs = DNABertTokenizer(k=6)(sequences(8, 60, 60), return_tensors="pt").to(DEVICE)
    labels = torch.arange(8, device=DEVICE) % 3
    optimizer = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], lr=1e-2)
    first = adapted(**inputs, labels=labels).loss
    for _ in range(20):
        loss = adapted(**inputs, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss < first
    adapted.eval()
    expected = adapted(**inputs).logits
    torch.testing.assert_close(
        adapted.merge_and_unload()(**inputs).logits, expected, atol=1e-4, rtol=1e-4
    )
