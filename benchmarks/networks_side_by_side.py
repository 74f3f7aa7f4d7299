"""Classifiers of one shape side by side: forward pass and optimiser step of all of them at once.

Used by finetune_on_gpu.py. The arithmetic is that of DNABertForSequenceClassification with mean
pooling, and of the package's Muon with the gradients clipped to norm 1.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from dnabert_hf import DNABertConfig, DNABertForSequenceClassification
from dnabert_hf.training.shared.muon import orthogonalise

MUON_RATE, RATE, WEIGHT_DECAY, WARM_UP = 0.005, 1e-3, 0.01, 0.1
MOMENTUM, BETAS, EPSILON, MAX_NORM = 0.95, (0.9, 0.999), 1e-8, 1.0
DROPOUT = 0.1  # before the classifier, the only one


class Networks:
    """Classifiers of one shape: forward pass and optimiser step of all of them at once.

    Args:
        config: Their shape.
        n_classes: Classes.
        n: Networks.
        n_steps: Steps that they will be trained for.
        device: Where they lie.
        dtype: Of the forward and backward pass; masters and moments are float32.
    """

    def __init__(
        self,
        config: DNABertConfig,
        n_classes: int,
        n: int,
        *,
        n_steps: int,
        device: torch.device,
        dtype: torch.dtype,
    ):
        self.config, self.n, self.device = config, n, device
        with torch.device("meta"):
            model = DNABertForSequenceClassification(with_classes(config, n_classes))
        shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
        empty = {name: torch.zeros(n, *s, device=device) for name, s in shapes.items()}
        self.weights = empty
        self.low = {k: w.to(dtype, copy=True).requires_grad_() for k, w in empty.items()}
        self.momenta = {k: torch.zeros_like(w) for k, w in empty.items()}
        self.squares = {k: torch.zeros_like(w) for k, w in empty.items()}
        self.by_shape: dict[tuple[int, ...], list[str]] = defaultdict(list)
        for name, shape in shapes.items():
            if len(shape) == 2 and ".encoder.layer." in name:
                self.by_shape[shape].append(name)
        self.for_muon = {name for names in self.by_shape.values() for name in names}
        self.offsets = torch.arange(n, device=device).view(n, 1, 1) * config.vocab_size
        self.count = torch.zeros((), dtype=torch.long, device=device)  # of steps taken
        self.schedule = schedule(n_steps).to(device)  # share of the learning rates, by step

    def start(self, i: int, weights: Mapping[str, Tensor], *, seed: int) -> None:
        """Give network i the weights that there are, and random ones where there are none."""
        generator = torch.Generator(self.device).manual_seed(1000 + seed)
        for name, mine in self.weights.items():
            if name in weights:
                mine[i].copy_(weights[name])
            elif name.endswith("bias"):
                mine[i].zero_()
            elif "LayerNorm" in name:
                mine[i].fill_(1)
            else:
                mine[i].normal_(0, self.config.initializer_range, generator=generator)

    def reset(self) -> None:
        """Forget moments and steps, in place: a graph keeps the addresses."""
        for tensor in (*self.momenta.values(), *self.squares.values(), self.count):
            tensor.zero_()

    def prepare_forward(self) -> None:
        """Round the masters to what the forward pass takes."""
        with torch.no_grad():
            for name, low in self.low.items():
                low.copy_(self.weights[name])

    def logits(self, ids: Tensor, *, is_training: bool) -> Tensor:
        """Compute logits (networks, sequences, classes) of ids (networks, sequences, tokens)."""
        config, tables = self.config, "bert.embeddings."
        n, n_sequences, n_tokens = ids.shape
        heads, hidden = config.num_attention_heads, config.hidden_size
        words = self.low[tables + "word_embeddings.weight"].flatten(0, 1)
        positions = self.low[tables + "position_embeddings.weight"][:, None, :n_tokens]
        x = functional.embedding(ids + self.offsets, words) + positions
        x = self._norm(
            x + self.low[tables + "token_type_embeddings.weight"][:, None, :1], tables + "LayerNorm"
        )
        for layer in range(config.num_hidden_layers):
            name = f"bert.encoder.layer.{layer}."
            query, key, value = (
                self._linear(x, f"{name}attention.self.{part}")
                .view(n * n_sequences, n_tokens, heads, hidden // heads)
                .transpose(1, 2)
                for part in ("query", "key", "value")
            )
            attended = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2)
            y = self._linear(attended.reshape(x.shape), name + "attention.output.dense")
            x = self._norm(x + y, name + "attention.output.LayerNorm")
            y = functional.gelu(self._linear(x, name + "intermediate.dense"))
            x = self._norm(x + self._linear(y, name + "output.dense"), name + "output.LayerNorm")
        pooled = torch.tanh(self._linear(x[:, :, 1:-1].mean(2), "bert.pooler.dense"))
        return self._linear(functional.dropout(pooled, DROPOUT, is_training), "classifier").float()

    def _linear(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self.low[name + ".weight"], self.low[name + ".bias"]
        rows = x.reshape(self.n, -1, x.shape[-1])
        return torch.baddbmm(bias[:, None], rows, weight.mT).view(*x.shape[:-1], -1)

    def _norm(self, x: Tensor, name: str) -> Tensor:
        shape = (self.n, *[1] * (x.ndim - 2), x.shape[-1])
        weight, bias = (self.low[f"{name}.{part}"].view(shape) for part in ("weight", "bias"))
        normed = functional.layer_norm(x, x.shape[-1:], None, None, self.config.layer_norm_eps)
        return torch.addcmul(bias, normed, weight)

    def step(self, ids: Tensor, labels: Tensor) -> Tensor:
        """Take one step; the loss of each network, before it."""
        self.prepare_forward()
        logits = self.logits(ids, is_training=True).flatten(0, 1)
        loss = functional.cross_entropy(logits, labels.flatten(), reduction="none")
        loss = loss.view(labels.shape).mean(1)
        gradients = torch.autograd.grad(loss.sum(), list(self.low.values()))
        with torch.no_grad():
            self.update(dict(zip(self.low, gradients, strict=True)))
        return loss.detach()

    def update(self, gradients: Mapping[str, Tensor]) -> None:
        """Clip the gradients of each network, and take a step of Muon or AdamW of each weight."""
        g = {name: each.float() for name, each in gradients.items()}
        norm = sum(each.flatten(1).square().sum(1) for each in g.values()) ** 0.5
        clip = (MAX_NORM / (norm + 1e-6)).clamp(max=1)
        g = {name: each * clip.view(-1, *[1] * (each.ndim - 1)) for name, each in g.items()}
        share = self.schedule.index_select(0, self.count.view(1))[0]
        self.count += 1
        for names in self.by_shape.values():
            self._step_muon(names, g, share * MUON_RATE)
        for name in self.weights.keys() - self.for_muon:
            self._step_adamw(name, g[name], share * RATE)

    def _step_muon(self, names: Sequence[str], g: Mapping[str, Tensor], rate: Tensor) -> None:
        updates = []
        for name in names:
            self.momenta[name].lerp_(g[name], 1 - MOMENTUM)
            updates.append(g[name].lerp(self.momenta[name], MOMENTUM))  # Nesterov's
        *_, rows, columns = updates[0].shape
        directions = orthogonalise(torch.cat(updates)).chunk(len(names))
        for name, direction in zip(names, directions, strict=True):
            self.weights[name].mul_(1 - rate * WEIGHT_DECAY)
            self.weights[name].sub_(direction * (rate * math.sqrt(max(1, rows / columns))))

    def _step_adamw(self, name: str, g: Tensor, rate: Tensor) -> None:
        weight, mean, square = self.weights[name], self.momenta[name], self.squares[name]
        mean.lerp_(g, 1 - BETAS[0])
        square.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
        first, second = (1 - beta ** self.count.float() for beta in BETAS)
        if weight.ndim > 2:  # biases and norms do not decay
            weight.mul_(1 - rate * WEIGHT_DECAY)
        weight.sub_(rate * (mean / first) / ((square / second).sqrt() + EPSILON))


def schedule(n_steps: int) -> Tensor:
    """Give the share of the learning rate of each step: up for a tenth, then down to 0."""
    step, n_warm = torch.arange(n_steps).float(), max(1, math.ceil(WARM_UP * n_steps))
    rising, falling = (step + 1) / n_warm, (n_steps - step) / max(1, n_steps - n_warm)
    return torch.minimum(rising, falling).clamp(max=1)


def with_classes(config: DNABertConfig, n_classes: int) -> DNABertConfig:
    """Copy a configuration for some number of classes."""
    return DNABertConfig.from_dict(config.to_dict() | {"num_labels": n_classes})
