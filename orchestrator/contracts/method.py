"""A method: how a backbone is adapted, with its settings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from orchestrator.contracts.record import Misfit, MisfitError, Record

TargetGroup = Literal["usual", "attention", "feed-forward", "all"]


class Full(Record):
    """Every weight is trained."""

    kind: Literal["full"] = "full"


class HeadOnly(Record):
    """The backbone is frozen and stays in evaluation mode; only the modules outside it are trained."""

    kind: Literal["head-only"] = "head-only"


class BitFit(Record):
    """The bias vectors of the backbone are trained (Ben Zaken et al. 2022)."""

    kind: Literal["bitfit"] = "bitfit"


class LnTuning(Record):
    """Gains and biases of the normalisation layers are trained (Zhao et al. 2023)."""

    kind: Literal["ln-tuning"] = "ln-tuning"


class TopLayers(Record):
    """Layer freezing: only the last `layers` of the backbone are trained, and what lies above them."""

    kind: Literal["top-layers"] = "top-layers"
    layers: PositiveInt = 2


class _Scaled(Record):
    """`alpha` is absolute, `alpha_ratio` is alpha over the rank; without either, alpha equals the rank."""

    rank: PositiveInt = 8
    alpha: PositiveFloat | None = None
    alpha_ratio: PositiveFloat | None = None
    dropout: float = Field(0.1, ge=0, lt=1)

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
            raise MisfitError(Misfit("alpha_ratio", problem, "give one of them, alpha or alpha_ratio"))
        return self


class Lora(_Scaled):
    """Low-rank adapters (Hu et al. 2021).

    `targets` says which projections they stand on: "usual" is the architecture's list, as in the study.
    """

    kind: Literal["lora"] = "lora"
    targets: TargetGroup = "usual"
    rank_stabilised: bool = False  # scaled by alpha / sqrt(rank) (Kalajdzievski 2023)
    dora: bool = False  # direction and magnitude apart (Liu et al. 2024)
    quantise: Literal["int8", "nf4"] | None = None  # of the frozen base; nf4 is QLoRA (Dettmers et al. 2023)


class AdaLora(_Scaled):
    """LoRA whose rank is shared out among the modules while it trains (Zhang et al. 2023). `rank` is the mean
    one at the end, `initial_rank` the one at the start; None: half as much again."""

    kind: Literal["adalora"] = "adalora"
    initial_rank: PositiveInt | None = None

    @property
    def start_rank(self) -> int:
        return self.initial_rank or -(-3 * self.rank // 2)

    @model_validator(mode="after")
    def _shrinks(self) -> AdaLora:
        if self.initial_rank is not None and self.initial_rank <= self.rank:
            problem = f"is not above rank {self.rank}, got {self.initial_rank}: AdaLoRA takes ranks away"
            raise MisfitError(Misfit("initial_rank", problem, "raise initial_rank, or lower rank"))
        return self


class Vera(Record):
    """Learnt scalings of random matrices that all modules share (Kopiczko et al. 2024)."""

    kind: Literal["vera"] = "vera"
    rank: PositiveInt = 256
    dropout: float = Field(0.0, ge=0, lt=1)


class Ia3(Record):
    """Learnt rescaling of keys, values and feed-forward activations (Liu et al. 2022)."""

    kind: Literal["ia3"] = "ia3"


class Oft(Record):
    """Orthogonal rotation of the weights, in blocks (Qiu et al. 2023)."""

    kind: Literal["oft"] = "oft"
    block_size: PositiveInt = 8


class Boft(Record):
    """Orthogonal rotation factored into butterflies (Liu et al. 2024)."""

    kind: Literal["boft"] = "boft"
    block_size: PositiveInt = 4
    factors: PositiveInt = 1


class _Virtual(Record):
    """Learnt virtual tokens stand before the text, and take their places from its maximum length."""

    virtual_tokens: PositiveInt = 10


class Prefix(_Virtual):
    """Virtual keys and values before each layer (Li and Liang 2021)."""

    kind: Literal["prefix"] = "prefix"


class Prompt(_Virtual):
    """Virtual token embeddings before the text (Lester et al. 2021)."""

    kind: Literal["prompt"] = "prompt"


class PTuning(_Virtual):
    """Virtual token embeddings that a small network makes (Liu et al. 2021)."""

    kind: Literal["p-tuning"] = "p-tuning"
    encoder_hidden_size: PositiveInt = 128


Settings = (
    Full
    | HeadOnly
    | BitFit
    | LnTuning
    | TopLayers
    | Lora
    | AdaLora
    | Vera
    | Ia3
    | Oft
    | Boft
    | Prefix
    | Prompt
    | PTuning
)


def virtual_tokens(settings: Settings) -> int:
    """Places that the method takes from the text."""
    return settings.virtual_tokens if isinstance(settings, Prefix | Prompt | PTuning) else 0


class MethodSpec(Record):
    """`name` is the readable slug that stands in paths and tables, say `lora-r8`; `entry` the catalogue's."""

    name: str
    entry: str
    settings: Settings = Field(discriminator="kind")
