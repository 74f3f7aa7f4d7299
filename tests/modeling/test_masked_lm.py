"""The masked language model's logits and losses, against stock BERT with the same weights."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, Trainer, TrainingArguments

from dnabert_hf import DNABertConfig, DNABertForMaskedLM, DNABertTokenizer

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


@pytest.fixture
def models():
    """DNABERT and stock BERT with the same weights."""
    ours = DNABertForMaskedLM(DNABertConfig(k=3, **SIZES)).eval()
    stock = BertForMaskedLM(BertConfig(vocab_size=69, **SIZES)).eval()
    stock.load_state_dict(ours.state_dict())
    return ours, stock


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 69, (3, 20), generator=generator)
    mask = torch.ones_like(ids)
    mask[2, 12:] = 0
    labels = torch.where(torch.rand(3, 20, generator=generator) < 0.3, ids, -100)
    labels[2, 12:] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def test_logits_in_evaluation_are_those_of_stock_bert(models, batch):
    ours, stock = (model(**batch) for model in models)
    assert ours.logits.shape == (3, 20, 69)
    torch.testing.assert_close(ours.logits, stock.logits)
    torch.testing.assert_close(ours.loss, stock.loss)


def test_training_scores_the_labelled_positions_alone_with_the_same_loss(models, batch):
    ours, stock = (model.train()(**batch) for model in models)
    is_labelled = batch["labels"] != -100
    assert ours.logits.shape == (int(is_labelled.sum()), 69)
    torch.testing.assert_close(ours.logits, stock.logits[is_labelled])
    torch.testing.assert_close(ours.loss, stock.loss)
    ours.loss.backward()
    stock.loss.backward()
    for mine, theirs in zip(models[0].parameters(), models[1].parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_num_items_in_batch_divides_the_loss_in_both_modes(models, batch):
    n_labelled = int((batch["labels"] != -100).sum())
    for mode in (True, False):
        ours, stock = (model.train(mode) for model in models)
        loss = ours(**batch, num_items_in_batch=2 * n_labelled).loss
        torch.testing.assert_close(loss, stock(**batch).loss / 2)


def test_tuples_hold_loss_and_logits(models, batch):
    loss, logits = models[0](**batch, return_dict=False)
    assert logits.shape == (3, 20, 69)
    torch.testing.assert_close(loss, models[0](**batch).loss)


def first_of_logits(logits, _):
    return logits.argmax(dim=-1)


def accuracy(predictions):
    """compute_metrics of run_mlm.py."""
    found, labels = predictions
    is_labelled = labels != -100
    return {"accuracy": float((found[is_labelled] == labels[is_labelled]).mean())}


def rows(n: int) -> list[dict[str, list[int]]]:
    tokenizer = DNABertTokenizer(k=3)
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("ACGT"), 30)) for _ in range(n)]
    batch = tokenizer(texts)
    return [
        {"input_ids": ids, "labels": [-100 if i % 4 else token for i, token in enumerate(ids)]}
        for ids in batch["input_ids"]
    ]


def evaluate(model, output_dir) -> dict[str, float]:
    arguments = TrainingArguments(output_dir, per_device_eval_batch_size=4, use_cpu=True)
    trainer = Trainer(
        model,
        arguments,
        eval_dataset=rows(9),
        compute_metrics=accuracy,
        preprocess_logits_for_metrics=first_of_logits,
    )
    return trainer.evaluate()


def test_metrics_of_the_trainer_are_those_of_stock_bert(models, tmp_path):
    ours, stock = (evaluate(model, tmp_path) for model in models)
    assert ours["eval_accuracy"] == stock["eval_accuracy"]
    assert ours["eval_loss"] == pytest.approx(stock["eval_loss"], abs=1e-6)


@pytest.mark.slow
def test_metrics_of_the_trainer_on_two_processes(tmp_path):
    """Nine rows on two processes: the sums over ranks need logits with a row a sequence."""
    script = tmp_path / "evaluate.py"
    script.write_text(
        f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import torch
from test_masked_lm import SIZES, evaluate
from dnabert_hf import DNABertConfig, DNABertForMaskedLM
torch.manual_seed(0)
metrics = evaluate(DNABertForMaskedLM(DNABertConfig(k=3, **SIZES)), {str(tmp_path)!r})
print("accuracy", metrics["eval_accuracy"])
"""
    )
    single = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    double = subprocess.run(
        [*command, "--standalone", str(script)], capture_output=True, text=True, check=True
    )

    def found(run):
        return {line for line in run.stdout.splitlines() if line.startswith("accuracy")}

    assert len(found(single)) == 1
    assert found(double) == found(single)
