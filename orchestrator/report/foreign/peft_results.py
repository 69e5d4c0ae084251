"""Runs from the result files of PEFT's method comparison: a JSON file per run.

Their layout is that of `method_comparison/*/results` in huggingface/peft: `run_info`, `train_info` and
`meta_info`. The score is the last `test accuracy`, the cost is `train_time` on one GPU.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.vocabulary import Precision
from orchestrator.errors import ConfigError, Problem
from orchestrator.report.foreign.runs import LARGEST, LARGEST_SEED, Run, without_repeats
from orchestrator.text_files import read_text

_SCORE = "test accuracy"
_SUCCESS = "success"
_PRECISIONS = {"float32": Precision.FP32, "bfloat16": Precision.BF16, "float16": Precision.FP16}
_VERSION = "-version"
_COMPARED = ("peft", "torch", "transformers")
_GIVE = "give a result file of PEFT's method comparison"
_Share = Annotated[float, Field(strict=True, ge=0, le=1)]
_Seconds = Annotated[float, Field(strict=True, ge=0, le=LARGEST)]
_Count = Annotated[int, Field(ge=0, le=LARGEST)]
_Positive = Annotated[int, Field(gt=0, le=LARGEST)]


class _Part(BaseModel):
    """Theirs, not ours: keys that we do not read may come and go."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _TrainConfig(_Part):
    model_id: str
    dtype: str
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)]


class _RunInfo(_Part):
    created_at: datetime
    experiment_name: str
    train_config: _TrainConfig


class _Metrics(_Part):
    score: _Share | None = Field(None, alias=_SCORE)

    @property
    def scored(self) -> bool:
        return "score" in self.model_fields_set


class _TrainInfo(_Part):
    train_time: _Seconds
    accelerator_memory_max: _Positive | None = None
    file_size: _Count | None = None
    num_trainable_params: _Count
    num_total_params: _Positive
    status: str
    metrics: tuple[_Metrics, ...]


class _SystemInfo(_Part):
    accelerator: Annotated[str, Field(min_length=1)]


class _MetaInfo(_Part):
    dataset_info: dict[str, object]
    package_info: dict[str, str | None]
    system_info: _SystemInfo


class _Result(_Part):
    run_info: _RunInfo
    train_info: _TrainInfo
    meta_info: _MetaInfo


def read_peft_results(directory: Path) -> list[Run]:
    """Return a run per file of a folder. Raises ConfigError with every mistake of every file."""
    files = sorted(directory.glob("*.json"))
    if not files:
        fix = "name a folder of PEFT's method_comparison results, or a CSV file"
        raise ConfigError([Problem(str(directory), "", "has no JSON files", fix)])
    runs: list[Run] = []
    problems: list[Problem] = []
    for file in files:
        result = _read(file, problems)
        if result is not None:
            runs.append(_run(file, result))
    kept, repeated = without_repeats(runs, newest=False)
    if problems := [*problems, *repeated]:
        raise ConfigError(problems)
    return kept


def _read(file: Path, problems: list[Problem]) -> _Result | None:
    try:
        return _Result.model_validate(json.loads(read_text(file)))
    except ConfigError as error:
        problems += error.problems
    except ValidationError as error:
        problems += _named(file, error)
    except RecursionError:
        problems.append(Problem(str(file), "", "is nested too deeply to be read", _GIVE))
    except ValueError as error:
        fix = "download the file again, or remove it from the folder"
        problems.append(Problem(str(file), "", f"is not JSON ({error})", fix))
    return None


def _named(file: Path, error: ValidationError) -> Iterator[Problem]:
    for fault in error.errors(include_url=False):
        key = ".".join(map(str, fault["loc"]))
        value = fault["input"]
        got = f", got {value!r:.40}" if isinstance(value, str | float | bool) else ""
        problem = "is missing" if fault["type"] == "missing" else f"{fault['msg']}{got}"
        yield Problem(str(file), key, problem, _GIVE)


def _run(file: Path, result: _Result) -> Run:
    run, train, meta = result.run_info, result.train_info, result.meta_info
    score = next((metrics.score for metrics in reversed(train.metrics) if metrics.scored), None)
    ended = train.status == _SUCCESS
    family, _, rest = run.experiment_name.partition("/")
    model = run.train_config.model_id.rpartition("/")[2]
    settings = rest.removeprefix(_short(model)).strip("-")
    return Run(
        where=str(file),
        model=model,
        domain="general",
        method=f"{family}-{settings}" if settings and settings != "default" else family,
        task="+".join(meta.dataset_info) or "unknown",
        seed=run.train_config.seed,
        metric=MetricName.ACCURACY,
        score=score if ended else None,
        missing=None if ended and score is not None else f"no {_SCORE}, status {train.status}",
        ended_at=run.created_at.timestamp(),
        device_type=meta.system_info.accelerator,
        device_seconds=train.train_time or None,
        peak_memory_bytes=train.accelerator_memory_max,
        saved_bytes=train.file_size,
        total_parameters=train.num_total_params,
        trainable_parameters=train.num_trainable_params,
        precision=_PRECISIONS.get(run.train_config.dtype),
        software=_versions(meta.package_info),
    )


def _short(model: str) -> str:
    """Return the model as the names of their experiments have it: llama-3.2-3B of Llama-3.2-3B."""
    return model[:1].lower() + model[1:]


def _versions(packages: Mapping[str, str | None]) -> dict[str, str]:
    versions = {name: packages.get(f"{name}{_VERSION}") for name in _COMPARED}
    return {name: version for name, version in versions.items() if version}
