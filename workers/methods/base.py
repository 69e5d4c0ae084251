"""The worker's half of a method: how it changes a model, and what it does around saving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods import METHODS, Settings
from orchestrator.contracts.vocabulary import TaskKind
from workers.methods.adalora import RankKeeper
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


class Method(Generic[S]):
    """A subclass is a method, with settings of type S; a family's file lists those it holds as `METHODS`."""

    def adapt(self, model: Any, settings: S, context: Context) -> Any:
        """Return the model, wrapped or not, with exactly those weights trainable that the method trains.

        May draw from torch's global generator. Raises WeightsError where the method cannot adapt the model.
        """
        raise NotImplementedError

    def rank_keeper(self, model: Any) -> RankKeeper | None:
        """Return what follows the training of an adapted model, step by step; most methods need nothing."""
        return None

    def before_saving(self, model: Any) -> None:
        """Prepare an adapted model for PEFT's format."""

    def before_loading(self, config: Any, saved: Any) -> None:
        """Lay over the PEFT configuration of a fresh adapter what one that was `saved` says."""


def _family(settings: type[Settings]) -> Mapping[type[Settings], Method[Any]]:
    """Return the methods of the file here that is named as the file of the settings."""
    family: Mapping[type[Settings], Method[Any]] = import_module(
        f"{__package__}.{settings.__module__.rpartition('.')[2]}"
    ).METHODS
    return family


def method_of(settings: Settings) -> Method[Any]:
    return _family(type(settings))[type(settings)]


def import_all() -> None:
    """Import all families, so that a forked attempt finds them imported."""
    for settings in METHODS:
        _family(settings)
