"""Count the floating-point operations of a pass through a model, from the shapes of its matrix products.

A product of (m, k) by (k, n) takes 2mkn, and its gradient as many again for each of the two factors that
needs one: Kaplan et al., Scaling Laws for Neural Language Models (arXiv 2001.08361), section 2.1, where it is
summed up as 2 a weight and token forward and 4 backward, beside attention's term in the square of the length.
Taken product by product it also holds for frozen weights, which need no gradient, and below the first weight
that trains, where nothing goes backward. Only products count: no norms, activations, softmax or optimiser;
nor what attention computes again in its backward pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from workers.methods.bypass import Bypass

Shape = tuple[int, int]  # (examples, positions of each: virtual and real tokens)
_STEP = 8  # positions
_POINTS = (1, 2, 3)  # steps: three lengths determine a parabola


@dataclass(frozen=True)
class FlopsCurve:
    """FLOPs = fixed + examples * (constant + linear * length + filled * whole + square * whole ** 2), where
    `whole` is the length rounded up to full chunks of a scan; without a scan it is the length itself."""

    fixed: float
    constant: float
    linear: float
    square: float
    filled: float = 0.0
    chunk: int = 1  # positions

    def at(self, examples: int, length: int) -> float:
        filled_length = math.ceil(length / self.chunk) * self.chunk
        per_example = (
            self.constant + length * self.linear + filled_length * (self.filled + filled_length * self.square)
        )
        return self.fixed + examples * per_example

    @classmethod
    def through(cls, counted: Mapping[Shape, float], chunk: int = 1) -> FlopsCurve:
        """Fit a curve to `counted`: one example at three lengths of full chunks, and two examples at the
        first of them; with chunks also one example with one position more than the first."""
        by_length = {n: f for (examples, n), f in counted.items() if examples == 1}
        one_over = by_length.pop(min(by_length) + 1) if chunk > 1 else None
        (a, fa), (b, fb), (c, fc) = sorted(by_length.items())
        slope = (fb - fa) / (b - a)
        square = ((fc - fb) / (c - b) - slope) / (c - a)
        linear = slope - square * (a + b)
        fixed = 2 * fa - counted[2, a]
        constant = fa - fixed - a * (linear + a * square)
        unfilled = linear if one_over is None else (fb - one_over) / (chunk - 1)
        return cls(fixed, constant, unfilled, square, linear - unfilled, chunk)


@dataclass(frozen=True)
class Operations:
    """FLOPs of a pass over a batch that is padded to one length in tokens; virtual tokens are added
    separately."""

    forward: FlopsCurve
    backward: FlopsCurve
    window: int = 1  # a model with windowed attention pads to full windows
    virtual: int = 0  # tokens before those of the batch

    def of(self, examples: int, length: int, *, training: bool, again: bool = False) -> float:
        """Return the FLOPs of a pass. `again`: activations are not kept, so the backward pass begins with
        another forward pass."""
        padded = math.ceil((length + self.virtual) / self.window) * self.window
        done = self.forward.at(examples, padded)
        return done * (1 + again) + self.backward.at(examples, padded) if training else done


def operations_of(model: Any) -> Operations:
    """Count the operations of a few small forward passes in evaluation mode: nothing is drawn or trained.
    `model` is on the meta device, where this takes no time at any size, or on the CPU. It stays in evaluation
    mode. Raises what the model raises."""
    window, virtual, chunk = _window(model.config), _virtual(model), getattr(model.config, "chunk_size", 1)
    step = next((grain for grain in (window, chunk) if grain > 1), _STEP)
    positions = [(virtual // step + n) * step for n in _POINTS]
    shapes = [*((1, count) for count in positions), (2, positions[0])]
    if chunk > 1:
        shapes.append((1, positions[0] + 1))
    counted = {(n, length): _pass(model, n, length - virtual) for n, length in shapes}
    return Operations(*_curves(counted, chunk), window, virtual)


def operations_past_backbone(model: Any) -> Operations:
    """Count like `operations_of` what a pass computes that gets the hidden states of the backbone, which is
    left out of it."""
    bypass = Bypass(model)
    try:
        _pass(model, 1, _STEP)
        shapes = [*((1, n * _STEP) for n in _POINTS), (2, _STEP)]
        counted = {shape: _pass(model, *shape, past_backbone=True) for shape in shapes}
    finally:
        bypass.undo()
    return Operations(*_curves(counted))


def _pass(model: Any, examples: int, length: int, *, past_backbone: bool = False) -> Products:
    ids = torch.arange(examples * length).reshape(examples, length) % int(model.config.vocab_size)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if past_backbone:
        inputs["inputs_embeds"] = torch.empty(*ids.shape, model.config.hidden_size, device=model.device)
    model.eval()
    products = Products()
    with torch.enable_grad(), _without_kernels(), products:
        model(**inputs)
    return products


def _curves(counted: Mapping[Shape, Products], chunk: int = 1) -> tuple[FlopsCurve, FlopsCurve]:
    """Return the curves of the forward and of the backward pass."""
    forward = {shape: products.forward for shape, products in counted.items()}
    backward = {shape: products.backward for shape, products in counted.items()}
    return FlopsCurve.through(forward, chunk), FlopsCurve.through(backward, chunk)


def _window(config: Any) -> int:
    """Return Longformer's window, the largest of its layers, to a multiple of which it pads."""
    window = getattr(config, "attention_window", 1)
    return int(window) if isinstance(window, int) else max(window)


def _virtual(model: Any) -> int:
    """Return the virtual tokens of prompts. A prefix has none here: it adds keys and values only."""
    configs = getattr(model, "peft_config", {}).values()
    return sum(getattr(config, "num_virtual_tokens", 0) or 0 for config in configs)


@contextmanager
def _without_kernels() -> Iterator[None]:
    """Replace fused kernels (mamba's), which need a GPU and hide their products. While torch exports a model,
    transformers calls its own reference instead."""
    before = torch.compiler._is_exporting_flag
    torch.compiler._is_exporting_flag = True
    try:
        yield
    finally:
        torch.compiler._is_exporting_flag = before


class Products(TorchFunctionMode):
    """Count the matrix products that run in this context, and those that their gradients need.

    In a model on the meta device only tensors that depend on its weights have no values. Tokens, masks and
    positions keep theirs on the CPU, because models use them to decide what to compute.
    """

    def __init__(self) -> None:
        super().__init__()
        self.forward = self.backward = 0.0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result, args, kwargs = _call(func, args, kwargs or {})
        count = _PRODUCTS.get(func)
        if count is not None:
            for flops, factors in count(result, *args, **kwargs):
                self.forward += flops
                self.backward += flops * sum(factor.requires_grad for factor in factors)
        return result


_META, _CPU = torch.device("meta"), torch.device("cpu")


def _call(func: Any, args: Any, kwargs: Any) -> tuple[Any, Any, Any]:
    """Return the result of `func`, with its arguments on one device: the meta device if one of its tensors is
    there, else the CPU. A scalar may stay where it is. Floating-point tensors that are created for the meta
    device, to be filled there, are created there."""
    leaves = [leaf for value in (*args, *kwargs.values()) for leaf in _leaves(value)]
    empty = any(isinstance(value, Tensor) and value.is_meta for value in leaves)
    on_meta = any(isinstance(value, torch.device) and value == _META for value in leaves)
    home = _META if empty else _CPU

    def settle(leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            return leaf.to(home) if leaf.ndim and leaf.device != home else leaf
        return home if isinstance(leaf, torch.device) else leaf

    def settled(value: Any) -> Any:
        return tree_map(settle, value) if _nests(value) else settle(value)

    args, kwargs = tuple(map(settled, args)), {name: settled(value) for name, value in kwargs.items()}
    if empty and func in _SHAPES:
        shape, needs_gradient = (
            _SHAPES[func](*args),
            any(isinstance(v, Tensor) and v.requires_grad for v in leaves),
        )
        result = args[0].new_empty(shape)
        return result.requires_grad_().clone() if needs_gradient else result, args, kwargs
    result = func(*args, **kwargs)
    if on_meta and isinstance(result, Tensor) and result.is_floating_point():
        result = result.to(_META)
    return result, args, kwargs


def _nests(value: Any) -> bool:
    """Return whether there may be tensors inside: few arguments are such, and a search takes its time."""
    return isinstance(value, (tuple, list, dict))


def _leaves(value: Any) -> list[Any]:
    return tree_leaves(value) if _nests(value) else [value]


# torch computes these on the meta device too, but slowly, in Python.
_SHAPES: dict[Any, Callable[..., tuple[int, ...]]] = {
    functional.linear: lambda signal, weight, *_: (*signal.shape[:-1], weight.shape[0]),
    functional.scaled_dot_product_attention: lambda query, _, value, *__: (
        *query.shape[:-1],
        value.shape[-1],
    ),
    **dict.fromkeys(
        (functional.layer_norm, functional.gelu, functional.silu), lambda signal, *_, **__: signal.shape
    ),
}


Counted = Iterable[tuple[float, tuple[Tensor, ...]]]  # FLOPs of each product, and its factors


def _product(result: Tensor, left: Tensor, right: Tensor, *_: Any, **__: Any) -> Counted:
    return [(2.0 * result.numel() * left.shape[-1], (left, right))]


def _product_onto(result: Tensor, _: Tensor, left: Tensor, right: Tensor, **__: Any) -> Counted:
    return _product(result, left, right)


def _convolution(result: Tensor, signal: Tensor, weight: Tensor, *_: Any, **__: Any) -> Counted:
    return [(2.0 * result.numel() * math.prod(weight.shape[1:]), (signal, weight))]


def _attention(result: Tensor, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Counted:
    """Count the scores of all pairs, then the means of the values that they weigh. The scores need a gradient
    if query or key does."""
    pairs = math.prod(query.shape[:-1]) * key.shape[-2]
    scores = query if query.requires_grad else key
    return [(2.0 * pairs * query.shape[-1], (query, key)), (2.0 * pairs * value.shape[-1], (scores, value))]


def _einsum(result: Tensor, equation: str, *operands: Any, **_: Any) -> Counted:
    """Count the product of two factors, which loops over every index once."""
    factors = tuple(operands[0]) if len(operands) == 1 else operands
    sizes: dict[str, int] = {}
    for names, factor in zip(equation.replace(" ", "").split("->")[0].split(","), factors, strict=True):
        before, dots, behind = names.partition("...")
        rest = factor.ndim - len(before) - len(behind)
        indices = [*before, *(f"{position} from behind" for position in range(rest, 0, -1) if dots), *behind]
        for name, size in zip(indices, factor.shape, strict=True):
            sizes[name] = max(size, sizes.get(name, 1))
    return [(2.0 * math.prod(sizes.values()), factors)]


_PRODUCTS: dict[Any, Callable[..., Counted]] = {
    **dict.fromkeys(
        (
            functional.linear,
            torch.matmul,
            torch.mm,
            torch.bmm,
            Tensor.matmul,
            Tensor.__matmul__,
            Tensor.mm,
            Tensor.bmm,
        ),
        _product,
    ),
    **dict.fromkeys((torch.addmm, torch.baddbmm), _product_onto),
    **dict.fromkeys((functional.conv1d, torch.conv1d), _convolution),
    functional.scaled_dot_product_attention: _attention,
    torch.einsum: _einsum,
}
