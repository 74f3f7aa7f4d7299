"""Fine-tune dnabert-6-mini with the standard Trainer, and classify with a standard pipeline.

    python examples/finetune_with_trainer.py --steps 100

The data are simulated: half of the sequences carry a CTCF site, the others the same letters in
another order.
"""

import argparse
import tempfile

import numpy as np
from datasets import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    pipeline,
)

import dnabert_hf
from dnabert_hf.data.building.simulation import simulate_binding


def simulate(n: int, tokenizer, seed: int) -> Dataset:
    """Simulate sequences with their labels, as token ids."""
    sequences = simulate_binding(n, np.random.default_rng(seed))
    data = Dataset.from_dict(
        {
            "sequence": [item.sequence for item in sequences],
            "labels": [int(item.is_bound) for item in sequences],
        }
    )
    return data.map(lambda rows: tokenizer(rows["sequence"]), batched=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100)
    steps = parser.parse_args().steps

    start = dnabert_hf.checkpoint("dnabert-6-mini")
    tokenizer = AutoTokenizer.from_pretrained(start)
    model = AutoModelForSequenceClassification.from_pretrained(
        start, id2label={0: "free", 1: "bound"}, label2id={"free": 0, "bound": 1}
    )
    train = simulate(32 * steps, tokenizer, seed=0)
    test = simulate(400, tokenizer, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model,
            TrainingArguments(
                folder,
                max_steps=steps,
                per_device_train_batch_size=32,
                learning_rate=1e-3,
                warmup_steps=10,
                seed=0,
                report_to="none",
            ),
            train_dataset=train,
            processing_class=tokenizer,
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        trainer.train()
    classify = pipeline("text-classification", model=trainer.model, tokenizer=tokenizer)
    predicted = [answer["label"] == "bound" for answer in classify(test["sequence"][:])]
    accuracy = np.mean(np.array(predicted) == np.array(test["labels"][:]))
    print(f"accuracy on {len(test)} simulated sequences after {steps} steps: {accuracy:.2f}")


if __name__ == "__main__":
    main()
