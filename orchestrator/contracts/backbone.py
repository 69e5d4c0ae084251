"""A backbone: the pretrained weights of one (model, domain), and where they come from."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from orchestrator.contracts.record import Record


class HubWeights(Record):
    """A repository of a Hugging Face hub, at a pinned revision."""

    kind: Literal["hub"] = "hub"
    hub: str
    revision: str = "main"


class FolderWeights(Record):
    """A local folder in hub layout: config.json, tokenizer files, *.safetensors."""

    kind: Literal["folder"] = "folder"
    folder: str


class PackageWeights(Record):
    """Weights that an installed Python package carries."""

    kind: Literal["package"] = "package"
    package: str  # import name
    folder: str = ""  # inside the package
    extra: str = ""  # the extra of this project that installs it; named in the error when it is missing


class MadeWeights(Record):
    """A small BERT made on the spot by a short masked-language-model pre-training on invented text.

    `corpus` names which text of `workers.demo.corpora` it reads. The digest of these values and of the code
    that makes it is the identity of the weights.
    """

    kind: Literal["made"] = "made"
    corpus: Literal["general", "clinical"]
    hidden_size: PositiveInt
    layers: PositiveInt
    heads: PositiveInt
    intermediate_size: PositiveInt
    vocabulary: PositiveInt = 2000
    documents: PositiveInt = 2000
    steps: NonNegativeInt = 300
    seed: int = 0


class BackboneSpec(Record):
    """One catalogue entry. `shape` holds configuration values of the architecture, where they are known, so
    that the parameter arithmetic needs no network."""

    name: str
    model: str  # value of the models axis
    domain: str  # value of the domains axis
    architecture: str  # the `model_type` of transformers
    weights: HubWeights | FolderWeights | PackageWeights | MadeWeights = Field(discriminator="kind")
    max_length: PositiveInt = 512  # tokens, the longest input it takes
    parameters: PositiveInt | None = None  # total with a 2-label sequence head, fp32
    cased: bool | None = None
    licence: str | None = None
    shape: dict[str, Any] = Field(default_factory=dict)
    # What adapters wrap, as module name endings. None: the table of the architecture (`workers.methods`).
    # Named here where a model departs from it, as the study's small BERTs do.
    lora_targets: tuple[str, ...] | None = None
    ia3_targets: tuple[str, ...] | None = None
    ia3_feedforward: tuple[str, ...] | None = None  # those of ia3_targets whose input is rescaled
    note: str | None = None
