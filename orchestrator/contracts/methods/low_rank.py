"""Low-rank adapters: LoRA and its kin."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from orchestrator.contracts.methods.base import MethodSettings, Quantise
from orchestrator.contracts.model_shape import ModelShape
from orchestrator.contracts.record import ProblemError
from orchestrator.contracts.vocabulary import Precision
from orchestrator.errors import Problem

TargetGroup = Literal["usual", "attention", "feed-forward", "all"]


class _Scaled(MethodSettings):
    """`alpha` is absolute, `alpha_ratio` is alpha over the rank; without either, alpha equals the rank."""

    rank: PositiveInt = Field(8, description="of the added matrices")
    alpha: PositiveFloat | None = Field(None, description="scale: alpha / rank; null: alpha_ratio")
    alpha_ratio: PositiveFloat | None = Field(None, description="alpha as a multiple of the rank")
    dropout: float = Field(0.1, ge=0, lt=1, description="before the added matrices")

    is_adapter: ClassVar[bool] = True

    @property
    def scale(self) -> float:
        """Alpha, resolved."""
        if self.alpha is not None:
            return self.alpha
        return self.rank * (1.0 if self.alpha_ratio is None else self.alpha_ratio)

    @model_validator(mode="after")
    def _one_alpha(self) -> _Scaled:
        if self.alpha is not None and self.alpha_ratio is not None:
            problem = f"says what alpha {self.alpha:g} says as well, got {self.alpha_ratio:g}"
            raise ProblemError(
                Problem.of_key("alpha_ratio", problem, "give one of them, alpha or alpha_ratio")
            )
        return self


class Lora(_Scaled):
    """Low-rank adapters (Hu et al. 2021).

    `targets` says which projections they adapt: "usual" is the architecture's list, as in the study.
    """

    kind: Literal["lora"] = "lora"
    targets: TargetGroup = Field("usual", description="which linear layers are adapted")
    rank_stabilised: bool = Field(False, description="scale by alpha / sqrt(rank) (Kalajdzievski 2023)")
    dora: bool = Field(False, description="train direction and magnitude separately (Liu et al. 2024)")
    quantise: Quantise | None = Field(
        None, description="of the frozen base; nf4 is QLoRA (Dettmers et al. 2023)"
    )

    @property
    def description(self) -> str:
        return f"low-rank adapters trained (LoRA, rank {self.rank})"

    @property
    def quantised_to(self) -> Quantise | None:
        return self.quantise

    def parameters_per_layer(self, shape: ModelShape) -> float:
        h, i = shape.hidden, shape.intermediate
        both = {"usual": 6 * h, "attention": 8 * h, "feed-forward": 3 * (h + i), "all": 11 * h + 3 * i}
        return self.rank * both[self.targets] + (4 * h + 3 * i if self.dora else 0)

    def extra_activations(self, shape: ModelShape) -> float:
        if self.targets in ("all", "feed-forward"):
            # The adapters beyond the usual two keep their input as well: once dropped out, once in fp32.
            return 6 * (4 * shape.hidden + shape.intermediate)
        if self.quantise == "nf4":
            # A projection in 4 bits without an adapter answers in its input's fp32.
            return 4 * (shape.hidden + shape.intermediate)
        return 0

    def unsupported_sharding(self, *, spreads_weights: bool) -> str | None:
        if self.quantise and spreads_weights:
            return f"a base in {self.quantise} cannot be spread over devices"
        return None

    def table_rows(self) -> tuple[str, ...]:
        names = [self.kind, *([f"lora+{self.targets}"] if self.targets != "usual" else [])]
        names += ["lora+dora"] if self.dora else []
        names += ["lora+rank-stabilised"] if self.rank_stabilised else []
        return tuple(names)

    @classmethod
    def to_measure(cls) -> tuple[Self, ...]:
        return (
            cls(rank=2),
            cls(rank=2, targets="attention"),
            cls(rank=2, targets="feed-forward"),
            cls(rank=2, targets="all"),
            cls(rank=2, dora=True),
            cls(rank=2, rank_stabilised=True),
        )


class AdaLora(_Scaled):
    """LoRA whose rank is shared out among the modules while it trains (Zhang et al. 2023). `rank` is the mean
    one at the end, `initial_rank` the one at the start; None: half as much again."""

    kind: Literal["adalora"] = "adalora"
    initial_rank: PositiveInt | None = Field(
        None, description="rank that the search for ranks begins with; null: half as much again"
    )

    needs_planned_steps: ClassVar[bool] = True  # ranks are shared out over them

    @property
    def description(self) -> str:
        return f"low-rank adapters trained (AdaLoRA, mean rank {self.rank})"

    @property
    def start_rank(self) -> int:
        return self.initial_rank or -(-3 * self.rank // 2)

    @model_validator(mode="after")
    def _shrinks(self) -> AdaLora:
        if self.initial_rank is not None and self.initial_rank <= self.rank:
            problem = f"is not above rank {self.rank}, got {self.initial_rank}: AdaLoRA takes ranks away"
            raise ProblemError(Problem.of_key("initial_rank", problem, "raise initial_rank, or lower rank"))
        return self

    def parameters_per_layer(self, shape: ModelShape) -> float:
        return self.start_rank * 6 * shape.hidden

    def unsupported_precision(self, precision: Precision) -> str | None:
        return "gradients that overflow would count" if precision is Precision.FP16 else None

    def unsupported_sharding(self, *, spreads_weights: bool) -> str | None:
        return "adalora reads the gradients of each step, which no process holds whole where they are spread"

    @classmethod
    def to_measure(cls) -> tuple[Self, ...]:
        return (cls(rank=2),)


class Vera(MethodSettings):
    """Learnt scalings of random matrices that all modules share (Kopiczko et al. 2024)."""

    kind: Literal["vera"] = "vera"
    rank: PositiveInt = Field(256, description="of the added matrices")
    dropout: float = Field(0.0, ge=0, lt=1, description="before the added matrices")

    is_adapter: ClassVar[bool] = True

    @property
    def description(self) -> str:
        return f"scalings of shared matrices trained (VeRA, rank {self.rank})"

    def parameters_per_layer(self, shape: ModelShape) -> float:
        return 3 * (self.rank + shape.hidden)

    @classmethod
    def to_measure(cls) -> tuple[Self, ...]:
        return (cls(rank=8),)
