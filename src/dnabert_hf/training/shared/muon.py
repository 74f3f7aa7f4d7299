"""Muon for the matrices of the encoder, AdamW for everything else, as one optimiser."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dnabert_hf.training.shared.arguments import has_fast_bf16

__all__ = ["Muon", "muon_groups", "optimizer_class", "orthogonalise"]

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic polynomial of Jordan et al. 2024
_ITERATIONS = 5
_SMALLEST_NORM = 1e-7


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised by Newton-Schulz iterations, for some groups; AdamW for the others.

    Same steps as `torch.optim.Muon` (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon),
    with two differences: matrices of one shape are orthogonalised together, in one batched product
    in place of one for each (a small model has dozens of matrices and would wait for the launches);
    and the parameters that Muon is not for are stepped by a `torch.optim.AdamW` of its own, so that
    the Trainer, a learning rate schedule and a checkpoint see one optimiser with one state.

    Args:
        params: Groups of parameters, those for Muon marked by `muon=True` (see `muon_groups`).
        lr: Learning rate of groups that name none.
        weight_decay: Of groups that name none, decoupled from the gradient.
        momentum: Share of the momentum that stays at each step.
        **adamw: Further arguments of `torch.optim.AdamW`, such as betas, eps and fused.

    Raises:
        ValueError: If a parameter of a Muon group is no matrix.
    """

    def __init__(
        self,
        params: Iterable[Mapping[str, Any]],
        lr: float = 1e-3,
        *,
        weight_decay: float = 0.01,
        momentum: float = 0.95,
        **adamw: Any,
    ):
        groups = [dict(group) for group in params]
        super().__init__(
            groups,
            {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "muon": False},
        )
        for group in self.param_groups:
            for parameter in group["params"] if group["muon"] else ():
                if parameter.ndim != 2:
                    raise ValueError(
                        "Muon steps matrices, found a parameter of shape "
                        f"{tuple(parameter.shape)}; put it into a group without muon=True"
                    )
        others = [group for group in self.param_groups if not group["muon"]]
        # The inner optimiser completes these very groups with its own settings.
        self._adamw = torch.optim.AdamW(others, lr=lr, weight_decay=weight_decay, **adamw)
        for group, completed in zip(others, self._adamw.param_groups, strict=True):
            group.update(completed)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step.

        Args:
            closure: Computes the loss anew, as for every optimiser of torch.

        Returns:
            What the closure returned, None without one.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        # Loading a state replaces groups and state: hand over those of now.
        self._adamw.param_groups = [group for group in self.param_groups if not group["muon"]]
        self._adamw.state = self.state
        self._adamw.step()
        for group in self.param_groups:
            if group["muon"]:
                self._step_matrices(group)
        return loss

    def _step_matrices(self, group: dict[str, Any]) -> None:
        parameters = [p for p in group["params"] if p.grad is not None]
        if not parameters:
            return
        buffers = []
        for parameter in parameters:
            state = self.state[parameter]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(parameter)
            buffers.append(state["momentum_buffer"])
        gradients = [p.grad for p in parameters]
        torch._foreach_lerp_(buffers, gradients, 1 - group["momentum"])
        updates = torch._foreach_lerp(gradients, buffers, group["momentum"])  # Nesterov's
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        by_shape = sorted(range(len(parameters)), key=lambda i: tuple(parameters[i].shape))
        for (rows, columns), some in itertools.groupby(
            by_shape, key=lambda i: tuple(parameters[i].shape)
        ):
            chosen = list(some)
            directions = orthogonalise(torch.stack([updates[i] for i in chosen]))
            rate = group["lr"] * math.sqrt(max(1, rows / columns))
            for i, direction in zip(chosen, directions, strict=True):
                parameters[i].add_(direction, alpha=-rate)


def orthogonalise(matrices: Tensor) -> Tensor:
    """Bring the singular values of matrices near 1, keeping their singular vectors.

    Args:
        matrices: Shape (matrices, rows, columns).

    Returns:
        Of the same shape and type: U S V^T with S between about 0.7 and 1.2, from five iterations
        in bfloat16 where the device has it in hardware.
    """
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    is_on_cpu = matrices.device.type == "cpu"
    is_fast = has_fast_bf16(on_cpu=is_on_cpu)
    x = x.to(torch.bfloat16 if is_fast else torch.float32)
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=_SMALLEST_NORM)
    # In float32 alone: products of products lose what 16 bits do not hold.
    iterate = _iterate if is_fast or 2 * x.shape[2] < 3 * x.shape[1] else _iterate_on_squares
    # On a CPU one matrix after the other is a tenth to a fifth faster.
    x = torch.cat([iterate(each) for each in x.split(1)]) if is_on_cpu else iterate(x)
    return (x.mT if is_tall else x).to(matrices.dtype)


def _iterate(x: Tensor) -> Tensor:
    """Go through the Newton-Schulz iterations as they are written."""
    a, b, c = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def _iterate_on_squares(x: Tensor) -> Tensor:
    """Do the same for wide matrices, with products of squares of their shorter side.

    An iteration multiplies x by a polynomial of its Gram matrix, x x^T. The Gram matrix of what
    comes out follows from these two, so that x itself waits for the product of all polynomials: of
    sides of 1 to 4, that is 0.55 of the work.
    """
    a, b, c = _COEFFICIENTS
    gram = x @ x.mT
    factor = None
    for iteration in range(_ITERATIONS):
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        polynomial.diagonal(dim1=1, dim2=2).add_(a)
        factor = polynomial if factor is None else polynomial @ factor
        if iteration < _ITERATIONS - 1:
            gram = polynomial @ (polynomial @ gram)
    assert factor is not None
    return factor @ x


def muon_groups(
    model: nn.Module, *, learning_rate: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Group the parameters of a model for `Muon`.

    The matrices of the encoder's layers go to Muon; embeddings, heads, biases and norms to AdamW,
    the last two without weight decay.

    Args:
        model: A DNABERT model; parameters that need no gradient are left out.
        learning_rate: Of the matrices. That of the others is the optimiser's.
        weight_decay: Of matrices and embeddings.

    Returns:
        Groups, those that would be empty left out.

    Raises:
        ValueError: If no matrix of an encoder is to be trained.
    """
    matrices, decayed, others = [], [], []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.ndim == 2 and ".encoder.layer." in f".{name}":
            matrices.append(parameter)
        elif parameter.ndim >= 2:
            decayed.append(parameter)
        else:
            others.append(parameter)
    if not matrices:
        raise ValueError(
            "Muon is for the matrices of an encoder that is trained, found none; use the optimizer "
            '"adamw"'
        )
    groups = [
        {
            "params": matrices,
            "muon": True,
            "lr": learning_rate,
            "weight_decay": weight_decay,
        },
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def optimizer_class(
    name: str, model: nn.Module, args: Any, *, muon_learning_rate: float
) -> tuple[type[torch.optim.Optimizer], dict[str, Any]] | None:
    """Choose what `transformers.Trainer` takes as `optimizer_cls_and_kwargs`.

    Args:
        name: "adamw" (the Trainer's own, as the field `optim` of the arguments says) or "muon".
        model: Model to be trained.
        args: Arguments of the Trainer: learning rate and settings of AdamW.
        muon_learning_rate: Learning rate of the matrices of the encoder.

    Returns:
        Class and keyword arguments, None for the Trainer's own.

    Raises:
        ValueError: If the name is not known.
    """
    if name == "adamw":
        return None
    if name != "muon":
        raise ValueError(f'optimizer must be "adamw" or "muon", got {name!r}')
    return Muon, {
        "params": muon_groups(
            model, learning_rate=muon_learning_rate, weight_decay=args.weight_decay
        ),
        "lr": args.learning_rate,
        "weight_decay": args.weight_decay,
        "betas": (args.adam_beta1, args.adam_beta2),
        "eps": args.adam_epsilon,
        "fused": args.device.type in ("cpu", "cuda"),
    }
