"""PEFT, ONNX Runtime and multimolecule beside DNABERT."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from dnabert_hf import (
    DNABertConfig,
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertModel,
    DNABertTokenizer,
)

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
SIZES |= {"intermediate_size": 16}
HEADS = [DNABertForMaskedLM, DNABertForSequenceClassification, DNABertForTokenClassification]


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # asked by PEFT
@pytest.mark.parametrize("method", ["LoraConfig", "IA3Config", "AdaLoraConfig", "VeraConfig"])
def test_peft_adapts_what_it_adapts_of_bert_by_default(method):
    peft = pytest.importorskip("peft")
    options = {"total_step": 10} if method == "AdaLoraConfig" else {}
    names = []
    for model in (
        DNABertForSequenceClassification(DNABertConfig(k=3, **SIZES)),
        BertForSequenceClassification(BertConfig(vocab_size=69, **SIZES)),
    ):
        config = getattr(peft, method)(task_type="SEQ_CLS", **options)
        adapted = peft.get_peft_model(model, config)
        names.append([n for n, p in adapted.named_parameters() if p.requires_grad])
    assert names[0] == names[1]
    assert any("layer.1.attention.self.value" in name for name in names[0])
    assert any("classifier" in name for name in names[0])


def test_peft_imported_after_the_model_was_built_knows_it_too():
    """And dnabert_hf does not import it."""
    pytest.importorskip("peft")
    code = f"""
import sys
import dnabert_hf
model = dnabert_hf.DNABertModel(dnabert_hf.DNABertConfig(k=3, **{SIZES}))
assert "peft" not in sys.modules
import peft
print(type(peft.get_peft_model(model, peft.LoraConfig())).__name__)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "PeftModel"


def random_batch(*lengths: int) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(sum(lengths))
    texts = ["".join(rng.choice(list("ACGT"), n)) for n in lengths]
    return dict(DNABertTokenizer(k=3)(texts, padding=True, return_tensors="pt"))


def as_session(model, path):
    """Export by torch alone, without `dnabert export`."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    batch = random_batch(20, 15)
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens", max=512)}
    program = torch.onnx.export(
        model,
        kwargs=batch,
        dynamo=True,
        dynamic_shapes=dict.fromkeys(batch, sizes),
        verbose=False,
    )
    program.save(path)
    return onnxruntime.InferenceSession(path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch and onnxscript
@pytest.mark.parametrize("token_pooling", ["cls", "mean"])
@pytest.mark.parametrize("model_class", [DNABertModel, *HEADS])
@torch.no_grad()
def test_exported_models_give_the_same_in_onnx_runtime(model_class, token_pooling, tmp_path):
    model = model_class(DNABertConfig(k=3, token_pooling=token_pooling, **SIZES)).eval()
    session = as_session(model, tmp_path / "model.onnx")
    for lengths in ((30,), (9, 100, 40), (512, 3)):  # 512 bases are 510 k-mers, the most
        batch = random_batch(*lengths)
        found = session.run(None, {name: values.numpy() for name, values in batch.items()})[0]
        torch.testing.assert_close(torch.from_numpy(found), model(**batch)[0], atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch and onnxscript
@torch.no_grad()
def test_long_sequences_in_onnx_runtime_are_the_mean_of_their_windows(tmp_path):
    """The head is linear: the logits of the mean of the pieces are the mean of their logits."""
    model = DNABertForSequenceClassification(DNABertConfig(k=3, **SIZES)).eval()
    session = as_session(model, tmp_path / "model.onnx")
    sequence = "".join(np.random.default_rng(0).choice(list("ACGT"), 1300))
    tokenizer = DNABertTokenizer(k=3)
    windows = tokenizer(
        sequence,
        truncation=True,
        max_length=512,
        return_overflowing_tokens=True,
        padding=True,
        return_tensors="np",
    )
    windows.pop("overflow_to_sample_mapping")
    found = session.run(None, dict(windows))[0].mean(axis=0)
    expected = model(**tokenizer(sequence, return_tensors="pt")).logits[0]
    torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-5, rtol=1e-4)


MULTIMOLECULE = "from multimolecule import DnaBertConfig, DnaBertModel"
OURS = "import dnabert_hf"


@pytest.mark.slow
@pytest.mark.parametrize("order", [(MULTIMOLECULE, OURS), (OURS, MULTIMOLECULE)])
def test_multimolecule_works_beside_in_either_order(order, tmp_path):
    """It registers "dnabert" too: both packages' classes work, whoever is imported first."""
    pytest.importorskip("multimolecule")
    code = (
        "\n".join(order)
        + f"""
import torch
from transformers import AutoConfig, AutoModel, pipeline
sizes = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=1, intermediate_size=16)
ours = dnabert_hf.DNABertForTokenClassification(dnabert_hf.DNABertConfig(k=3, **sizes)).eval()
tokenizer = dnabert_hf.DNABertTokenizer(k=3)
pipe = pipeline("token-classification", model=ours, tokenizer=tokenizer)
theirs = DnaBertModel(DnaBertConfig(vocab_size=69, **sizes)).eval()
ids = torch.tensor([[2, 9, 3]])
print(type(pipe).__name__, ours(ids).logits.shape[1], theirs(ids).last_hidden_state.shape[1])
dnabert_hf.register_with_transformers()
ours.bert.save_pretrained({str(tmp_path)!r})
print(type(AutoModel.from_pretrained({str(tmp_path)!r})).__name__)
"""
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["DNATokenClassificationPipeline 3 3", "DNABertModel"]
