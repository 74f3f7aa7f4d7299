"""LoRA adapters train, and save and load the head of the classifier with them."""

import re
import sys

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments

from dnabert_hf import evaluate, finetune, predict
from dnabert_hf.training.finetuning.collators import SequenceCollator
from dnabert_hf.training.shared.lora import add_lora

peft = pytest.importorskip("peft")


# peft 0.21 asks transformers for a name that it is about to drop.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.parametrize("pooling", ["mean", "gru"])
def test_lora_trains_and_saves_the_head(tiny_config, tokenizer, tmp_path, pooling):
    tiny_config.segment_pooling = pooling
    base = AutoModelForSequenceClassification.from_config(tiny_config)
    base.save_pretrained(tmp_path / "base")
    before = {name: value.clone() for name, value in base.state_dict().items()}
    lora = peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query", "value"])
    model = peft.get_peft_model(base, lora)
    rows = Dataset.from_dict({"sequence": ["GAAAAAAA", "GCCCCCCC"] * 8, "labels": [0, 1] * 8})
    arguments = TrainingArguments(
        str(tmp_path / "run"),
        max_steps=3,
        learning_rate=1e-2,
        use_cpu=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
    )
    Trainer(model, arguments, train_dataset=rows, data_collator=SequenceCollator(tokenizer)).train()
    model.save_pretrained(tmp_path / "adapter")

    fresh = AutoModelForSequenceClassification.from_pretrained(tmp_path / "base")
    loaded = peft.PeftModel.from_pretrained(fresh, tmp_path / "adapter").eval()
    batch = tokenizer(["GAAAAAAA", "ACGTACGT"], return_tensors="pt")
    with torch.inference_mode():
        trained_logits = model.eval()(**batch).logits
        torch.testing.assert_close(loaded(**batch).logits, trained_logits)
    state = {
        name.replace("base_model.model.", "").replace("modules_to_save.default.", ""): value
        for name, value in loaded.state_dict().items()
    }
    # A GRU over one piece starts from zeros, so its weights of the earlier state do not learn.
    heads = [n for n in before if n.startswith("classifier.") and "weight_hh" not in n]
    assert all(not state[name].equal(before[name]) for name in heads)
    frozen = "bert.embeddings.word_embeddings.weight"
    assert state[frozen].equal(before[frozen])


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_finetune_trains_adapters_and_saves_an_ordinary_model(tiny_config, tokenizer, tmp_path):
    start = tmp_path / "start"
    base = AutoModelForSequenceClassification.from_config(tiny_config)
    base.save_pretrained(start)
    tokenizer.save_pretrained(start)
    rows = [f"{'GAAAAAAA' if i % 2 else 'GCCCCCCC'}\t{i % 2}\t{split}" for i, split in
            enumerate(["train"] * 16 + ["dev"] * 4 + ["test"] * 4)]  # fmt: skip
    (tmp_path / "d.tsv").write_text("\n".join(["sequence\tlabel\tsplit", *rows]) + "\n")
    arguments = {"max_steps": 4, "learning_rate": 1e-2, "use_cpu": True, "bf16": False}
    result = finetune(
        start, tmp_path / "d.tsv", output_dir=tmp_path / "out", lora=2, arguments=arguments
    )
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
    before, after = base.state_dict(), model.state_dict()
    assert set(before) == set(after)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    adapted = {f"bert.encoder.layer.{i}.attention.self.{n}.weight"
               for i in range(2) for n in ("query", "value")}  # fmt: skip
    head = {f"{n}.{w}" for n in ("bert.pooler.dense", "classifier") for w in ("weight", "bias")}
    assert changed == adapted | head
    # The saved model scores what the adapted one scored.
    scores = evaluate(tmp_path / "out", tmp_path / "d.tsv", split="test", dtype="float32").scores
    assert scores["auroc"] == pytest.approx(result.scores["test"]["auroc"])
    rows_out = (tmp_path / "out" / "predictions.tsv").read_text().splitlines()[1:]
    found = predict(tmp_path / "out", ["GCCCCCCC", "GAAAAAAA"], dtype="float32")
    for row, prediction in zip(rows_out[:2], found, strict=True):
        assert float(row.split("\t")[-1]) == pytest.approx(prediction.probabilities["1"], abs=1e-4)
    assert not (tmp_path / "out" / "adapter_config.json").exists()


def test_lora_of_what_cannot_be_adapted_is_refused(tiny_config):
    model = AutoModelForSequenceClassification.from_config(tiny_config)
    with pytest.raises(ValueError, match="rank of LoRA must be 1 or more, got 0"):
        add_lora(model, 0)
    with pytest.raises(ValueError, match="must have a DNABERT to adapt, got Linear"):
        add_lora(torch.nn.Linear(2, 2), 2)


def test_a_missing_peft_is_named_with_the_way_to_get_it(tiny_config, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    model = AutoModelForSequenceClassification.from_config(tiny_config)
    with pytest.raises(ImportError, match=re.escape("pip install 'dnabert-hf[peft]'")):
        add_lora(model, 2)
