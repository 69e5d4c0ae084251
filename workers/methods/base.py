"""The worker's half of a method: how it changes a model, and what it does around steps and saving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar

from torch import Tensor

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods import METHODS, Settings
from orchestrator.contracts.vocabulary import TaskKind
from workers.methods.targets import Names

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Context:
    """What a method adapts a model to. `heads` train under every method; `steps` are the planned optimiser
    steps, None where they are not known; with `meta` no storage is touched."""

    spec: BackboneSpec
    kind: TaskKind
    heads: Names
    steps: int | None = None
    meta: bool = False


class StepHook(Protocol):
    """What a method does around each optimiser step, and the state that it keeps outside the weights."""

    def watch(self) -> None:
        """Begin to observe gradients, once the model is on its device. A second call changes nothing."""

    def penalty(self) -> Tensor | None:
        """Return a term to add to the loss of an optimiser step, once however many passes the step has."""

    def after_step(self, step: int) -> None:
        """Act on optimiser step `step`, counted from 1, after the optimiser has updated the weights."""

    def extra_state(self) -> dict[str, Tensor]:
        """Return what a resumed trial needs beside the trained weights, as copies on the CPU."""

    def load_extra_state(self, state: dict[str, Tensor]) -> None:
        """Restore what `extra_state` returned."""


class Method(Generic[S]):
    """A subclass is a method, with settings of type S; a family's file lists those it holds as `METHODS`."""

    def adapt(self, model: Any, settings: S, context: Context) -> Any:
        """Return the model, wrapped or not, with exactly those weights trainable that the method trains.

        May draw from torch's global generator. Raises WeightsError where the method cannot adapt the model.
        """
        raise NotImplementedError

    def step_hook(self, model: Any) -> StepHook | None:
        """Return the hook that runs around each step of an adapted model, or None: most methods need none."""
        return None

    def before_saving(self, model: Any) -> None:
        """Prepare an adapted model for PEFT's format."""

    def before_loading(self, config: Any, saved: Any) -> None:
        """Copy settings of the `saved` PEFT configuration into that of a new adapter."""


def _family(settings: type[Settings]) -> Mapping[type[Settings], Method[Any]]:
    """Return the methods of the file here that is named as the file of the settings."""
    family: Mapping[type[Settings], Method[Any]] = import_module(
        f"{__package__}.{settings.__module__.rpartition('.')[2]}"
    ).METHODS
    return family


def method_of(settings: Settings) -> Method[Any]:
    return _family(type(settings))[type(settings)]


def import_all() -> None:
    """Import all families, so that a forked attempt has them loaded."""
    for settings in METHODS:
        _family(settings)
