"""What a trial needs of a device's memory, as arithmetic that a person can follow. Pure.

    weights + gradients + optimiser's moments + activations of one forward pass + what the runtime takes
    + under head-only what the frozen backbone answered

Each term is what the worker does (`workers.distributed.sharding`, `workers.models.backbones`), on the device
that needs most. The sum is meant to be above the peak, not on it: gradients and activations are added up,
though the ones grow while the others are given back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.device import CONTEXT_BYTES, GIB
from orchestrator.contracts.frozen_precision import frozen_in_half
from orchestrator.contracts.kept_states import one_process_keeps
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.model_shape import ModelShape
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import Family, Precision
from orchestrator.planning.model_size import shape_of

_QUANTISED = {"int8": 1.0, "nf4": 0.52}  # bytes a weight; nf4 with its doubly quantised constants
_NOT_QUANTISED = 0.4  # of a state-space model's layers: what its scan reads (`workers.models.backbones`)
_QUANTISED_KERNELS = 0.3 * GIB  # of bitsandbytes, beside what CUDA takes
_EXCHANGE = 0.5 * GIB  # NCCL's buffers, where there are several processes
_GATHERED_LAYERS = 2  # of sharded weights: the active one, and the next one in transfer


@dataclass(frozen=True, slots=True)
class _Kept:
    """Bytes that one layer keeps for the backward pass: a token and unit of hidden size, of feed-forward
    width, a token and head, and a token, head and token attended to (where attention is written out)."""

    hidden: float
    width: float
    head: float = 0
    score: float = 0

    def of(self, shape: ModelShape, length: int) -> float:
        """Bytes a token."""
        heads = shape.heads * (self.head + self.score * length)
        return self.hidden * shape.hidden + self.width * shape.intermediate + heads


@dataclass(frozen=True, slots=True)
class _Keeping:
    """In half precision and in fp32, of a model that trains as a whole and of one whose layers are frozen."""

    half: _Kept
    half_frozen: _Kept
    full: _Kept
    full_frozen: _Kept

    def of(self, precision: Precision, frozen: bool) -> _Kept:
        if precision.halves:
            return self.half_frozen if frozen else self.half
        return self.full_frozen if frozen else self.full


# Measured: what autograd saves for one layer, with attention's fused kernels and LoRA's usual targets where
# frozen (`tests/component/test_memory_estimate.py` measures some of them again).
_BERT = _Keeping(_Kept(29, 4.5), _Kept(33, 2.5), _Kept(42, 8.9), _Kept(50, 5))
_DISTILBERT = _Keeping(_Kept(27, 4.5), _Kept(37, 2.5), _Kept(38, 8.9), _Kept(53, 5))  # three adapters a layer
_LLAMA = _Keeping(_Kept(35, 8.5), _Kept(29, 6.5), _Kept(42, 16.9), _Kept(42, 13))
_QWEN3 = _Keeping(_Kept(47, 8.5), _Kept(37, 6.5), _Kept(58, 16.9), _Kept(50, 13))
_MODERNBERT = _Keeping(_Kept(25, 8.5), _Kept(27, 6.5), _Kept(42, 16.9), _Kept(42, 13))
_GPT2 = _Keeping(_Kept(29, 10.5), _Kept(31, 8.5), _Kept(50, 20.9), _Kept(50, 17))
_MOBILEBERT = _Keeping(_Kept(22, 8.5), _Kept(11, 8.5), _Kept(27, 16.9), _Kept(16, 17))
# Windows of 512 tokens: 6 bytes (7.2 in fp32) a token, head and place of the window.
_LONGFORMER = _Keeping(
    _Kept(41, 4.5, 3080, 0.8), _Kept(39, 2.5, 3080, 0.8), _Kept(74, 8.9, 3700, 1.7), _Kept(62, 5, 3700, 1.7)
)
_DEBERTA = _Keeping(
    _Kept(56, 2.5, 2430, 0.7), _Kept(58, 1, 2430, 0.7), _Kept(96, 4.5, 4900, 1.1), _Kept(100, 1, 4900, 1.1)
)
_MAMBA = _Keeping(*(_Kept(520, 0) for _ in range(4)))  # without its fused kernels, which keep far less

_KEPT = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "electra", "albert"), _BERT),
    **dict.fromkeys(("llama", "mistral", "qwen2", "gemma2", "eurobert"), _LLAMA),
    **dict.fromkeys(("mamba", "mamba2", "falcon_mamba"), _MAMBA),
    "distilbert": _DISTILBERT,
    "qwen3": _QWEN3,
    "modernbert": _MODERNBERT,
    "gpt2": _GPT2,
    "mobilebert": _MOBILEBERT,
    "longformer": _LONGFORMER,
    "deberta-v2": _DEBERTA,
}
_UNKNOWN = _Keeping(
    _Kept(60, 10.5), _Kept(60, 10.5), _Kept(100, 21), _Kept(100, 21)
)  # the most of a transformer


@dataclass(frozen=True, slots=True)
class Part:
    words: str
    bytes: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """The memory of the device that needs most. `parts` add up to it."""

    parts: tuple[Part, ...]

    @property
    def bytes(self) -> float:
        return sum(part.bytes for part in self.parts)

    @property
    def words(self) -> str:
        """`12.3 GiB weights + 0.1 GiB gradients + … = 16.2 GiB`."""
        listed = " + ".join(f"{gib(part.bytes)} {part.words}" for part in self.parts)
        return f"{listed} = {gib(self.bytes)}"


def gib(amount: float) -> str:
    gibibytes = amount / GIB
    return (
        f"{gibibytes:.0f} GiB"
        if gibibytes >= 100
        else f"{gibibytes:.1f} GiB"
        if gibibytes >= 0.095
        else f"{gibibytes:.2f} GiB"
    )


def estimate(
    backbone: BackboneSpec,
    settings: Settings,
    recipe: Recipe,
    resources: Resources,
    precision: Precision,
    state_bytes: int | None = 0,
) -> Estimate | None:
    """Return the memory for training on the GPUs of `resources`, with `micro_batch_size` of the longest
    examples in a pass. None if the catalogue does not say how large the model is. `state_bytes`:
    `Workload.state_bytes`; what is unknown counts as nothing."""
    shape = shape_of(backbone)
    if shape is None:
        return None
    trial = _Trial(backbone, settings, recipe, resources, precision, shape, state_bytes or 0)
    return Estimate(tuple(part for part in trial.parts() if part.bytes >= 0.005 * GIB))


@dataclass(frozen=True, slots=True)
class _Trial:
    backbone: BackboneSpec
    settings: Settings
    recipe: Recipe
    resources: Resources
    precision: Precision
    shape: ModelShape
    state_bytes: int

    def parts(self) -> Iterator[Part]:
        trained = float(self.settings.trained_parameters(self.shape))
        yield from self._zero(trained) if self._zero_stage else self._plain(trained)
        yield max(self._activations(), self._scoring(), key=lambda part: part.bytes)
        if one_process_keeps(self.resources):
            yield Part("hidden states of the frozen backbone", self.state_bytes)
        runtime = CONTEXT_BYTES + (_EXCHANGE if self.resources.processes > 1 else 0)
        yield Part("runtime", runtime + (_QUANTISED_KERNELS if self.settings.quantised_to else 0))

    @property
    def _zero_stage(self) -> int:
        return {"zero1": 1, "zero2": 2, "zero3": 3}.get(self.resources.sharding, 0)

    def _plain(self, trained: float) -> Iterator[Part]:
        """One device, DistributedDataParallel, or fully_shard."""
        spread = self.resources.sharding == "fsdp"
        share, among = (self.resources.processes, self._among) if spread else (1, "")
        home = 0 if self.resources.offload else 1 / share
        yield Part(f"weights ({self._weight_words(trained)}{among})", self._weights(trained) * home)
        if spread:
            yield Part("weights put together for a layer", self._gathered())
        elif self._copied(trained):
            yield Part(f"{self.precision} copies of weights", self._copied(trained))
        yield Part(f"gradients{among}", 4 * trained * home)
        yield Part(f"optimiser's moments{among}", 8 * trained * home)

    def _zero(self, trained: float) -> Iterator[Part]:
        """DeepSpeed holds everything in half precision, and masters of what trains in full."""
        stage, share = self._zero_stage, self.resources.processes
        size = 2 if self.precision.halves else 4
        home = 0 if self.resources.offload else 1 / share
        weights, spread = float(size * self.shape.parameters), stage == 3
        if self.settings.quantised_to:
            weights = self._weights(trained)
        among = self._among if spread else ""
        yield Part(f"weights ({self.precision}{among})", weights * (home if spread else 1))
        if spread:
            yield Part("weights put together for a layer", self._gathered())
        yield Part(
            f"gradients{self._among if stage > 1 else ''}", size * trained * (home if stage > 1 else 1)
        )
        label = f"optimiser's moments and masters in fp32{self._among}"
        yield Part(label, 12 * trained * home)

    @property
    def _among(self) -> str:
        if self.resources.offload:
            return ", in host memory"
        return f", a share of {self.resources.processes}"

    def _weight_words(self, trained: float) -> str:
        if self.settings.quantised_to:
            return f"frozen in {self.settings.quantised_to}"
        if frozen_in_half(self.backbone, self.settings, self.precision):
            return "frozen in bf16"
        return "fp32"

    def _weights(self, trained: float) -> float:
        shape = self.shape
        if quantised := self.settings.quantised_to:
            layers, scans = shape.parameters - shape.embeddings, self.backbone.family is Family.STATE_SPACE
            unquantised = layers * (_NOT_QUANTISED if scans else 0)
            stored = _QUANTISED[quantised] * (layers - unquantised)
            return stored + 4 * (unquantised + shape.embeddings + trained)
        if frozen_in_half(self.backbone, self.settings, self.precision):
            return 2 * shape.parameters + 4 * trained
        return 4 * (shape.parameters + (0 if self.settings.trains_everything else trained))

    def _copied(self, trained: float) -> float:
        """Autocast's copies of fp32 weights live until the backward pass has used them."""
        if not self.precision.halves or not self._active_layers:
            return 0
        if frozen_in_half(self.backbone, self.settings, self.precision) or self.settings.quantised_to:
            return 2 * trained
        in_layers = self.shape.parameters - self.shape.embeddings
        once = self._active_layers if not self.resources.gradient_checkpointing else 1
        return 2 * in_layers * once / self.shape.layers

    def _gathered(self) -> float:
        """Return the bytes of the active layers, and of what is outside layers: mostly embeddings."""
        size = 2 if self.precision.halves else 4
        return size * (_GATHERED_LAYERS * self.shape.layer_parameters + self.shape.embeddings)

    @property
    def _active_layers(self) -> int:
        return self.settings.active_layers(self.shape)

    @property
    def _pass(self) -> int:
        """Examples a forward pass of one process."""
        return self.resources.pass_size(self.recipe)

    @property
    def _length(self) -> int:
        return self.recipe.max_length + self.settings.extra_tokens

    def _kept(self) -> float:
        """Bytes a token and layer."""
        frozen = not self.settings.trains_whole_layers
        kept = _KEPT.get(self.backbone.architecture, _UNKNOWN).of(self.precision, frozen)
        return kept.of(self.shape, self._length)

    def _activations(self) -> Part:
        layers, kept, size = self._active_layers, self._kept(), 2 if self.precision.halves else 4
        kept += self.settings.extra_activations(self.shape)
        again = self.resources.gradient_checkpointing
        # With checkpointing each layer's input, and all of the active one.
        held = layers * 4 * self.shape.hidden + kept if again else max(layers, 1) * kept
        held += 4 * size * self.shape.hidden  # before the first layer and after the last one
        label = f"activations ({self._pass} x {self._length} tokens"
        label += ", computed again layer by layer)" if again else ")"
        return Part(label, self._pass * self._length * held)

    def _scoring(self) -> Part:
        """Return the bytes of a scoring pass, which keeps nothing but the active layer."""
        examples = self.resources.scoring_size(self.recipe)
        label = f"activations of scoring ({examples} x {self._length} tokens)"
        return Part(label, examples * self._length * self._kept())
