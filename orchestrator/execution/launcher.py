"""The launcher protocol: it runs trials to their end, seed by seed, and reports what happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from orchestrator.contracts import layout
from orchestrator.contracts.kept_weights import KeepWeights, KeptWeights
from orchestrator.contracts.outcome import Bill, Outcome
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.trial import TrialSpec
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.storage.remote import Remote


@dataclass(frozen=True, slots=True)
class TrialOrder:
    """A trial to run, what it is given, and how long it should take (wall seconds; None: not known)."""

    spec: TrialSpec
    resources: Resources
    forecast_seconds: float | None = None

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True, slots=True)
class Workplace:
    """The runtime choices that all attempts of a launch share; they are in neither name nor fingerprint."""

    sweep_directory: Path
    cache_dir: Path
    data_dir: Path | None = None
    checkpoint_seconds: float = 30.0
    keep_weights: KeepWeights = "adapters"
    keep_gib: float | None = None  # with `frontier`; None: no limit
    deterministic: bool = False
    timeout_seconds: float | None = None  # of one attempt; None: no limit
    weights: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by backbone, sha256 by file
    umask: int | None = None  # of all that writes records, wherever it runs; None: its own
    remote: Remote | None = None  # the storage; the directories then mirror it, on each machine its own

    def here(self) -> Workplace:
        """Return the workplace with its storage on this machine: a mirror, if it is an object store."""
        if self.remote is None:
            return self
        storage = self.remote.mirror()
        directory = storage / self.sweep_directory.name
        return replace(self, sweep_directory=directory, cache_dir=storage / layout.CACHE)


@dataclass(frozen=True, slots=True)
class RunPlanned:
    """What a run still has to do, sent before each launch: searches add more as they go."""

    trials: tuple[PlannedTrial, ...]  # those that wait for a search, and candidates that are drawn, included
    undrawn: tuple[float | None, ...] = ()  # forecast wall seconds of the candidates yet to be drawn
    up_to_date: int = 0  # trials that need no run, those that this run has finished included


@dataclass(frozen=True, slots=True)
class DashboardReady:
    """The cluster's dashboard answers at `url` to requests with the token (None: the user's own cluster)."""

    url: str
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """The trial holds its devices; `where` is the machine. `at` is Unix time, here and below."""

    name: str
    at: float
    where: str


@dataclass(frozen=True, slots=True)
class TrialLost:
    """What ran the trial is gone: it holds no devices, and waits until it continues elsewhere, or ends."""

    name: str
    at: float


@dataclass(frozen=True, slots=True)
class TrialWentOn:
    """A trial that was lost holds devices again."""

    name: str
    at: float


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    name: str
    at: float
    outcome: Outcome
    bill: Bill


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """Once for each trial: FINISHED, FAILED, or UNFINISHED where the launch was interrupted or held."""

    name: str
    at: float
    state: TrialState


@dataclass(frozen=True, slots=True)
class WeightsChosen:
    """Which whole models stay, after a trial has ended. `problem`: why no more are dropped in this run."""

    weights: KeptWeights | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed, about once a second. Some ticks carry the number of GPUs in the cluster, whichever
    trial uses them."""

    at: float
    gpus: float | None = None  # None: not asked


LaunchEvent = (
    RunPlanned
    | DashboardReady
    | TrialStarted
    | TrialLost
    | TrialWentOn
    | AttemptEnded
    | TrialEnded
    | WeightsChosen
    | Tick
)
Notify = Callable[[LaunchEvent], None]
Hold = Callable[[], bool]


def never() -> bool:
    """Hold nothing back."""
    return False


@dataclass(frozen=True, slots=True)
class ClusterChoice:
    """The Ray cluster that was requested. `insecure`: it is joined although it requires no token.
    `dashboard`: whether one of our own has Ray's dashboard; None where the sweep decides."""

    address: str | None = None  # None: one of our own
    insecure: bool = False
    dashboard: bool | None = None


class Launcher(Protocol):
    def run(self, trials: Sequence[TrialOrder], notify: Notify, hold: Hold = never) -> None:
        """Run all trials to their end; `notify` is called in this thread, in the order of events.

        `hold` is asked before each start, after the previous start was notified. Once it returns true, no
        further trial begins: running trials finish, the others end UNFINISHED without having started. A
        failed trial stops no other. Raises LaunchError where the trials can't be started, and
        KeyboardInterrupt on SIGINT or SIGTERM, after the running attempts were ended and billed: their trials
        stay unfinished, and the next launch resumes them. What `notify` raises ends the launch.
        """

    def session(self) -> AbstractContextManager[None]:
        """While it is held, launches share what is slow to get, say a cluster."""


def in_order(trials: Sequence[TrialOrder]) -> list[TrialOrder]:
    """Return the trials as launchers start them: seed by seed, longest forecast first."""
    from orchestrator.planning.placement import seed_by_seed

    return seed_by_seed(trials, lambda trial: trial.spec.seed, lambda trial: trial.forecast_seconds)
