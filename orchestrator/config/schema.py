"""What a sweep file holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    JsonValue,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from orchestrator.config.method_items import MethodItem, RecipeAxes, by_name
from orchestrator.config.recipes import RecipePatch
from orchestrator.config.resources import AskedResources
from orchestrator.config.rules import Rule
from orchestrator.contracts import layout
from orchestrator.contracts.capacity import NodeKind
from orchestrator.contracts.kept_weights import KEEP_GIB, KeepWeights
from orchestrator.contracts.price import Market
from orchestrator.contracts.record import ProblemError, Record
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.risks import Risk
from orchestrator.contracts.target import SweepTarget
from orchestrator.contracts.trial import Seed
from orchestrator.contracts.vocabulary import FailureRule
from orchestrator.errors import Problem

SAFE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"  # it becomes a directory

_CREDENTIAL = re.compile(r"(^|_)(key|secret|token|password|username|credentials?|sas)(_|$)", re.IGNORECASE)


def _keys(value: JsonValue) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)


class SpendingLimit(Record):
    """What the whole sweep may be billed. A forecast above it is refused, and a run stops at it. How long one
    trial trains is set in its recipe."""

    gpu_hours: PositiveFloat | None = Field(None, description="GPU-hours of all trials together")
    core_hours: PositiveFloat | None = Field(
        None, description="core-hours of all trials together, if they run on cores"
    )
    money: PositiveFloat | None = Field(
        None, description="money for all trials together, in the currency of `prices`"
    )

    @model_validator(mode="after")
    def _limits(self) -> SpendingLimit:
        if not self.model_fields_set:
            raise ValueError("a budget sets at least one of gpu_hours, core_hours and money")
        return self


Axis = Annotated[tuple[str, ...], Field(min_length=1)]


class SweepConfig(Record):
    """One sweep: the axes of its grid, the recipe of its cells, and how it is run."""

    name: str = Field(
        pattern=SAFE_NAME, max_length=64, description="name of the directory and of the MLflow experiment"
    )
    question: str | None = Field(
        None, description="the question that the sweep answers; the report begins with it"
    )
    good_enough: SweepTarget | None = Field(
        None, description="within: 0.01 of the best, or at_least: 0.85; tasks: {NAME: …} for one task"
    )
    failures: FailureRule = Field(
        FailureRule.COUNT,
        description="seeds that collapsed or diverged: count (with what guessing gives) or leave_out",
    )
    partial: bool = Field(
        False, description="this is part of the sweep of that name: keep the results of its other trials"
    )
    data_dir: str | None = Field(
        None, description="folder with the files of the tasks; relative to this file"
    )
    storage: str = Field(
        "sweeps",
        description="where results go: a path, relative to the working directory, or s3://bucket/prefix",
    )
    storage_options: dict[str, JsonValue] = Field(
        default_factory=dict, description="options of a storage by URI: endpoint_url; never credentials"
    )
    catalogues: tuple[str, ...] = Field((), description="more catalogue directories; relative to this file")
    models: Axis = Field(description="axis: architectures at a size")
    domains: Axis = Field(description="axis: what the backbones were pretrained on")
    methods: Annotated[
        tuple[Annotated[MethodItem, BeforeValidator(by_name, json_schema_input_type=str | MethodItem)], ...],
        Field(min_length=1),
    ] = Field(description="axis: how a backbone is adapted")
    tasks: Axis = Field(description="axis: what is predicted")
    axes: RecipeAxes = Field(
        RecipeAxes(), description="recipe keys to vary under all methods, say few-shot sizes"
    )
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = Field(
        (12, 34, 56), description="replicates of every cell"
    )
    recipe: RecipePatch = Field(RecipePatch(), description="recipe keys of every cell")
    rules: tuple[Rule, ...] = Field((), description="applied in order; the last one that sets a key wins")
    resources: AskedResources = Field(
        Resources(), description="what one trial gets; with auto, or a device, the plan chooses"
    )
    concurrency: PositiveInt | None = Field(None, description="the most trials that run at once")
    capacity: tuple[NodeKind, ...] | None = Field(
        None,
        min_length=1,
        description="what a cluster by address may grow to; `frontier render` sets it from the worker groups",
    )
    retries: NonNegativeInt = Field(2, description="further attempts after a failure that may not recur")
    on_bad_record: Literal["error", "skip"] | None = Field(
        None, description="what to do with malformed records, for all tasks; null: as each task says"
    )
    paper_scoring: bool | None = Field(
        None, description="also score as Taylor et al. 2024, for all tasks; null: as each task says"
    )
    full_data: bool = Field(False, description="ignore recipe.train_rows and dev_rows")
    keep_weights: KeepWeights = Field(
        "frontier",
        description="weights of finished trials to keep. adapters: adapters and heads only; none; all: whole "
        "models too; frontier: whole models only of cells that no other cell beats",
    )
    keep_gib: PositiveFloat = Field(
        KEEP_GIB, description="GiB of whole models that keep_weights: frontier keeps at most"
    )
    log_models: bool = Field(
        False,
        description="also log the weights that are kept to the MLflow runs of their trials, as models that "
        "load without Frontier; they may give away text that they were trained on",
    )
    deterministic: bool = Field(
        False, description="equal runs give equal bits on GPUs too, with slower kernels"
    )
    checkpoint_seconds: NonNegativeFloat = Field(
        30.0, description="minimum seconds between two checkpoints; 0: one after each evaluation"
    )
    attempt_hours: PositiveFloat | None = Field(
        None,
        description="hours after which an attempt is ended, because it hangs; another one resumes from its "
        "checkpoint, as `retries` allows",
    )
    accepted_risks: tuple[Risk, ...] = Field(
        (),
        description="problems that `frontier doctor --strict` may find with `data: sensitive`; in the report",
    )
    prices: str | None = Field(
        None, description="an entry of the catalogue's prices, or a YAML file of yours, relative to this file"
    )
    budget: SpendingLimit | None = Field(None, description="what the whole sweep may be billed")
    market: Market = Field("on_demand", description="which of the entry's prices: on_demand or spot")

    @property
    def attempt_seconds(self) -> float | None:
        return None if self.attempt_hours is None else 3600 * self.attempt_hours

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        for suffix in (layout.PROBES, layout.RETRAINED):
            if name.endswith(suffix):
                problem = f"ends in {suffix}, as the sweeps that Frontier makes beside another, got {name!r}"
                raise ProblemError(Problem.of_key("", problem, "choose another name"))
        return name

    @field_validator("log_models")
    @classmethod
    def _has_weights(cls, wanted: bool, info: ValidationInfo) -> bool:
        if wanted and info.data.get("keep_weights") == "none":
            problem, fix = "keep_weights: none keeps no weights to log", "set keep_weights: frontier"
            raise ProblemError(Problem.of_key("", problem, f"{fix}, or remove log_models"))
        return wanted

    @field_validator("attempt_hours")
    @classmethod
    def _reaches_a_checkpoint(cls, hours: float | None, info: ValidationInfo) -> float | None:
        between = info.data.get("checkpoint_seconds")
        if hours is not None and between is not None and 3600 * hours <= between:
            problem = f"ends attempts before their first checkpoint (checkpoint_seconds: {between:g})"
            raise ProblemError(
                Problem.of_key(
                    "",
                    f"{problem}, got {hours:g}, which is {3600 * hours:g} s",
                    f"set more than {between / 3600:.3g}, or lower checkpoint_seconds",
                )
            )
        return hours

    @field_validator("storage")
    @classmethod
    def _whole_uri(cls, storage: str) -> str:
        match = re.match(r"([a-z][a-z0-9+.-]+):(/+)", storage)
        if match is None or (storage[match.end() :] and len(match[2]) == (3 if match[1] == "file" else 2)):
            return storage
        slashes = "///" if match[1] == "file" else "//"
        meant = f"{match[1]}:{slashes}{storage[match.end() :] or 'bucket/prefix'}"
        raise ProblemError(Problem.of_key("", f"is no whole URI, got {storage!r}", f"write it as {meant}"))

    @field_validator("storage_options")
    @classmethod
    def _no_credentials(cls, options: dict[str, JsonValue], info: ValidationInfo) -> dict[str, JsonValue]:
        secret = next((key for key in _keys(options) if _CREDENTIAL.search(key)), None)
        if secret is not None:
            problem = f"{secret} is a credential, and the file travels with the records"
            raise ProblemError(Problem.of_key("", problem, "take it out, and set it in the environment"))
        if options and "://" not in info.data.get("storage", "://"):
            problem = f"is of a storage by URI, and storage is {info.data['storage']!r}"
            raise ProblemError(Problem.of_key("", problem, "set storage: s3://bucket/prefix, or remove it"))
        return options


def sweep_schema() -> dict[str, object]:
    """JSON schema of a sweep file."""
    return SweepConfig.model_json_schema()
