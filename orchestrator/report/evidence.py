"""How sure the report is, as data: claims, groups that cannot be told apart, frontiers on any axes."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from orchestrator.contracts.record import Record
from orchestrator.contracts.target import Target
from orchestrator.contracts.vocabulary import Unit


class Side(StrEnum):
    """What a point can be held against. Of quality more is better, of all else less."""

    QUALITY = "quality"
    DEVICE_HOURS = "device_hours"
    WALL_TIME = "wall_time"
    PEAK_MEMORY = "peak_memory"
    TRAINABLE_PARAMETERS = "trainable_parameters"
    STORED_BYTES = "stored_bytes"
    MONEY = "money"
    ENERGY = "energy"
    LATENCY = "latency"


SIDES: dict[Side, tuple[str, str]] = {  # title, unit of the figure
    Side.QUALITY: ("quality", "score"),
    Side.DEVICE_HOURS: ("device-hours of a trial", "h"),
    Side.WALL_TIME: ("wall time of a trial", "s"),
    Side.PEAK_MEMORY: ("peak memory", "bytes"),
    Side.TRAINABLE_PARAMETERS: ("trained parameters", "parameters"),
    Side.STORED_BYTES: ("stored bytes", "bytes"),
    Side.MONEY: ("money for a trial", "money"),
    Side.ENERGY: ("energy of a trial", "kWh"),
    Side.LATENCY: ("latency of one answer", "ms"),
}


class Limit(StrEnum):
    """What keeps a smaller difference from being shown."""

    SEEDS = "seeds"
    DOCUMENTS = "documents"
    BOTH = "both"


class Claim(Record):
    """One comparison: `better` has the higher mean. Names are those of the family's kind: a cell
    (model/domain/method), a method, a domain or a model.

    `difference` is in units of quality (0.012 is 1.2 points), never negative. `interval` is its 95 %
    interval, which holds for all of the family at once; `adjusted` the p-value, corrected over it. All three
    of `interval`, `p` and `adjusted` are None where fewer than two seeds are shared: then nothing can be
    claimed.

    Of two that cannot be told apart `detectable` is the smallest difference that these results could have
    shown, in units of quality, and `limit` what would show a smaller one.
    """

    better: str
    worse: str
    difference: float
    interval: tuple[float, float] | None
    p: float | None  # two-sided
    adjusted: float | None
    seeds: int  # paired
    examples: int | None  # documents of the test part, paired; None: the seeds alone speak
    told_apart: bool | None  # adjusted < 0.05; None: cannot be said
    sentence: str
    detectable: float | None = None
    limit: Limit | None = None


class ClaimFamily(Record):
    """Claims that are corrected together, of one task under one comparison key."""

    name: str  # methods, domains, models, frontier, teachers
    title: str
    comparison: str | None
    correction: str  # "Holm"
    size: int  # comparisons corrected for: for points picked by their results, all that could be picked
    claims: tuple[Claim, ...]  # largest difference first; those of `frontier` by cost
    notes: tuple[str, ...] = ()


class Settled(Record):
    """With how many seeds a measured difference of `margin`, in units of quality, would be told apart. None:
    with more than 50, so by other means if at all."""

    margin: float
    seeds: int | None


class Group(Record):
    """Cells that these results cannot tell apart, best first, of one task under one comparison key. That is
    not to say that they are equally good.

    `best`: the 95 % set of the best. Of the cells that have two seeds or more the best is one of these, and
    the first one scored highest; `behind` says of each further one, in the set or not, how far it may lie
    behind the first: the paired 95 % interval of the difference in quality, where there is one.

    `detectable`: how far behind the first a cell must be measured to be left out, and `limit` what would
    lessen that. `settled`: what would lessen it to the margin, None where it is no more than that.
    """

    comparison: str | None
    best: bool  # else a run along the frontier
    cells: tuple[str, ...]  # model/domain/method
    sentence: str
    behind: dict[str, tuple[float, float]] = Field(default_factory=dict)
    one_seed: tuple[str, ...] = ()  # cells that cannot be judged, of a set of the best
    detectable: float | None = None
    limit: Limit | None = None
    settled: Settled | None = None


class Simultaneous(Record):
    """The 95 % interval of a cell's quality, over other seeds and, where `documents` is set, other test
    documents. It holds for all `cells` of a task and comparison key at once, so for the one that was chosen
    by its score as well. None of one seed, and where nothing scatters."""

    interval: tuple[float, float] | None
    seeds: int
    documents: int | None
    unit: Unit = Unit.DOCUMENT  # what the documents are
    cells: int

    @property
    def over(self) -> str:
        """`3 seeds and 150 documents`, or patients."""
        seeds = f"{self.seeds} seed{'' if self.seeds == 1 else 's'}"
        return f"{seeds} alone" if self.documents is None else f"{seeds} and {self.documents:,} {self.unit}"


class GoodEnough(Record):
    """What is shown of the answer of one comparison key, by 95 % limits that hold for all its cells at once.

    `cell` is the cheapest that scored well enough for `target`, or the best where none did. `most_below` is
    how much better another cell may be, None where none can be judged. `budgets` says for each cell that is
    recommended by budget whether it is shown to be good enough.

    For `within` the cell is `shown` where no other one may be better by that or more, and all can be judged;
    `cheaper` has the limits of the best less each cell that costs less than `cell`. For `at_least` it is
    shown where the lower limit of its own quality reaches that; `cheaper` has the limits of the quality of
    each. None means that a cell cannot be judged.

    `held_out` and `best_held_out`: what the cell that is chosen in the same way, or the best, scores on seeds
    and documents that had no part in choosing it. None where cells have other seeds than others.
    """

    comparison: str | None
    cell: str  # model/domain/method
    target: Target
    shown: bool
    most_below: float | None
    unjudged: int = 0  # cells that share fewer than two seeds with `cell`, or no scatter
    cheaper: dict[str, tuple[float, float] | None] = Field(default_factory=dict)
    budgets: dict[str, bool] = Field(default_factory=dict)
    cells: int = 2  # that were chosen from
    held_out: float | None = None
    best_held_out: float | None = None

    @property
    def open_cheaper(self) -> tuple[str, ...]:
        """Cheaper cells of which it is not shown that they are not good enough."""
        return tuple(name for name, ends in self.cheaper.items() if ends is None or self._may_be(ends))

    def _may_be(self, ends: tuple[float, float]) -> bool:
        if self.target.at_least is not None:
            return ends[1] >= self.target.at_least
        return ends[0] <= (self.target.within or 0.0)


class Within(Record):
    """The first cell by the second axis whose quality is at most `points` hundredths below the best."""

    points: float
    cell: str


class Hypervolume(Record):
    """How much the frontier covers, between the cheapest measured cost and the reference point. It hangs on
    the set of cells, through these two ends.

    `value` is the area below it, over the decimal logarithm of the cost, through the width: the mean quality
    that a budget buys, budgets taken evenly on a logarithmic axis.
    """

    value: float
    interval: tuple[float, float] | None = None  # 95 %, over seeds and test documents; None without draws
    low: float  # cheapest cost measured
    reference_cost: float  # dearest cost measured
    reference_quality: float
    sentence: str


class Member(Record):
    """A point of a frontier. `probability`: of being on it; `near`: of being on it or so near that no other
    one is more than 1 point better and more than 5 % cheaper. None where it cannot be said."""

    cell: str  # model/domain/method
    figures: dict[Side, float]
    probability: float | None = None
    near: float | None = None


class FrontierView(Record):
    """The frontier of one task and comparison key on two or three axes; quality is the first of them."""

    axes: tuple[Side, ...]
    comparison: str | None
    members: tuple[Member, ...]  # by the second axis, rising
    others: tuple[Member, ...] = ()  # not on it, most probable first; only those from 1 in 20 on
    missing: tuple[str, ...] = ()  # cells with a quality and without a figure on another axis: never on it
    knee: str | None = None  # cell
    within: tuple[Within, ...] = ()  # 0.5, 1, 2 and 5 points
    hypervolume: Hypervolume | None = None  # of two axes, where quality is no loss
    notes: tuple[str, ...] = ()


class AcrossRow(Record):
    """One cell over all tasks. `normalised_mean`: each metric from what guessing gives to 1. `mean_rank`: 1
    is best; it hangs on the set of cells, so no frontier is made of it."""

    cell: str  # model/domain/method
    mean_rank: float
    rank_interval: tuple[float, float] | None  # 95 %, over seeds and test documents; None of one seed
    normalised_mean: float
    mean_interval: tuple[float, float] | None
    device_hours: float | None  # summed over the tasks
    frontier: bool  # on normalised mean and device-hours


class AcrossTasks(Record):
    """The cells that have a score in every task, under one comparison key."""

    comparison: str | None
    tasks: tuple[str, ...]
    rows: tuple[AcrossRow, ...]  # best normalised mean first
    left_out: tuple[str, ...] = ()  # cells without a score in some task
    notes: tuple[str, ...] = Field(default=())
