"""A backbone: the pretrained weights of one (model, domain), and where they come from."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from orchestrator.contracts.hub import RepositoryName
from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import Family


class HubWeights(Record):
    """A repository of a Hugging Face hub, at a pinned revision."""

    kind: Literal["hub"] = "hub"
    hub: RepositoryName
    revision: str = Field("main", min_length=1)


class FolderWeights(Record):
    """A local folder in hub layout: config.json, tokenizer files, *.safetensors."""

    kind: Literal["folder"] = "folder"
    folder: str = Field(min_length=1)


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


class RandomWeights(Record):
    """A tiny untrained model of an architecture, made on the spot with a tokenizer of invented text.

    It runs every line of code that the real one runs, and learns nothing worth a look: for `--smoke` and for
    the capability table.
    """

    kind: Literal["random"] = "random"
    architecture: str  # the `model_type` of transformers
    seed: int = 0


class Lineage(Record):
    """Where the weights come from, as names of backbones or of repositories on the hub."""

    teacher: str | None = None  # it was distilled from this one
    started_from: str | None = None  # its pretraining went on from this one


class BackboneSpec(Record):
    """One catalogue entry. `shape` holds configuration values of the architecture, where they are known, so
    that the parameter arithmetic needs no network."""

    name: str
    model: str  # value of the models axis
    domain: str  # value of the domains axis
    architecture: str  # the `model_type` of transformers
    family: Family = Family.ENCODER
    weights: HubWeights | FolderWeights | PackageWeights | MadeWeights | RandomWeights = Field(
        discriminator="kind"
    )
    max_length: PositiveInt = 512  # tokens, the longest input it takes
    parameters: PositiveInt | None = None  # total with a 2-label sequence head; checked when it is loaded
    cased: bool | None = None
    licence: str | None = None
    gated: bool = False  # the hub asks for a token that was granted access
    lineage: Lineage = Lineage()
    # Corpora that its pretraining read, say mimic-iii. None: not known. The catalogue adds those of the
    # entries in its lineage.
    saw: tuple[str, ...] | None = None
    pickled: bool = (
        False  # its repository was last seen with pickled weights only: `frontier stage --convert`
    )
    keep_layers: tuple[NonNegativeInt, ...] | None = (
        None  # of the layers in the weights, by number; None: all
    )
    shape: dict[str, Any] = Field(default_factory=dict)
    # What adapters wrap, as module name endings. None: the table of the architecture (`workers.methods`).
    # Named here where a model departs from it, as the study's small BERTs do.
    lora_targets: tuple[str, ...] | None = None
    ia3_targets: tuple[str, ...] | None = None
    ia3_feedforward: tuple[str, ...] | None = None  # those of ia3_targets whose input is rescaled
    note: str | None = None


def contamination(backbone: BackboneSpec, corpus: str | None) -> bool:
    """Return whether the backbone's pretraining read the corpus that a task is made of."""
    return corpus is not None and corpus in (backbone.saw or ())


def pretraining_known(backbone: BackboneSpec) -> bool:
    """Return whether the corpora of its pretraining are known. Generated weights read nothing but invented
    text."""
    return backbone.saw is not None or isinstance(backbone.weights, MadeWeights | RandomWeights)
