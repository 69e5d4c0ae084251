"""Rules of a sweep file: recipe keys and settings of some cells, or why they are left out."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from orchestrator.config.method_items import as_tuple
from orchestrator.config.recipes import RecipePatch
from orchestrator.contracts.record import ProblemError, Record
from orchestrator.errors import Problem

Names = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    BeforeValidator(as_tuple, json_schema_input_type=str | tuple[str, ...]),
]


class Match(Record):
    """Which cells a rule is for: those that agree on every key given. A key takes a value or a list."""

    model: Names = Field((), description="the model of the cell")
    domain: Names = Field((), description="the domain of the cell")
    method: Names = Field((), description="the name of the method with its settings, say lora-r8")
    entry: Names = Field((), description="the catalogue's name of the method, whatever its settings")
    task: Names = Field((), description="the task of the cell")
    backbone: Names = Field((), description="the backbone's entry in the catalogue")
    family: Names = Field((), description="the family of the backbone: encoder, decoder, state-space")
    task_kind: Names = Field((), description="classification, multilabel, ner, relation or regression")
    task_domain: Names = Field((), description="the kind of text of the task, say clinical")

    def given(self) -> dict[str, tuple[str, ...]]:
        return {key: getattr(self, key) for key in type(self).model_fields if key in self.model_fields_set}


class Rule(Record):
    """Sets recipe keys, and settings of the method, of the cells it matches, or leaves these cells out for a
    stated reason."""

    match: Match = Field(description="which cells the rule is for")
    set: RecipePatch | None = Field(None, description="recipe keys of these cells")
    settings: dict[str, JsonValue] = Field(
        default_factory=dict, description="settings of their method, say {rank: 16}"
    )
    exclude: str | None = Field(None, min_length=1, description="leave these cells out, for this reason")

    @model_validator(mode="after")
    def _either(self) -> Rule:
        changes = self.set is not None or bool(self.settings)
        if changes == (self.exclude is not None):
            got = "both" if changes else "neither"
            problem = f"a rule has either `set` (or `settings`) or `exclude`, got {got}"
            raise ProblemError(Problem.of_key("", problem, "keep one of `set` and `exclude`"))
        return self
