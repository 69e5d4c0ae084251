"""Measures which architecture takes which method for which kind of task: `python -m workers.capabilities`.

Of each combination a tiny random model is built as a trial builds its own, adapted, trained for one step in
fp32 after a pass in bf16, saved and loaded again. Standard output: the table as CSV, which belongs in
`configs/capabilities.csv`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from orchestrator.contracts.backbone import BackboneSpec, RandomWeights
from orchestrator.contracts.capability import Capability, write_table
from orchestrator.contracts.methods import METHODS, Settings
from orchestrator.contracts.vocabulary import Family, TaskKind
from orchestrator.errors import WeightsError
from workers.combination import Combination
from workers.demo.tiny import ARCHITECTURES, DECODERS, STATE_SPACES, write_tiny
from workers.methods import UnsupportedError
from workers.runtime.answers import answer_stream

SETTINGS = tuple(settings for method in METHODS for settings in method.to_measure())
# All tasks of whole texts have the head of a classification.
_HEADS = {
    TaskKind.CLASSIFICATION: (
        TaskKind.CLASSIFICATION,
        TaskKind.RELATION,
        TaskKind.MULTILABEL,
        TaskKind.REGRESSION,
    ),
    TaskKind.NER: (TaskKind.NER,),
}


def measure(
    architectures: Sequence[str] = tuple(ARCHITECTURES), settings: Sequence[Settings] = SETTINGS
) -> Iterator[Capability]:
    """Yield a row of the table for each architecture, method and kind of task."""
    for architecture in architectures:
        with tempfile.TemporaryDirectory() as place:
            weights = RandomWeights(architecture=architecture)
            folder = Path(place) / "tiny"
            folder.mkdir()
            write_tiny(weights, folder)
            for method in settings:
                for kind, kinds in _HEADS.items():
                    reason = _reason(weights, folder, method, kind)
                    for each in kinds:
                        yield Capability(
                            architecture=architecture,
                            method=method.table_rows()[-1],
                            task_kind=each,
                            supported=not reason,
                            reason=reason,
                        )


def _reason(weights: RandomWeights, folder: Path, settings: Settings, kind: TaskKind) -> str:
    """Why the combination does not run; empty where it does."""
    architecture = weights.architecture
    decodes = architecture in DECODERS
    family = Family.STATE_SPACE if architecture in STATE_SPACES else Family.ENCODER
    spec = BackboneSpec(
        name=architecture,
        model=architecture,
        domain="none",
        architecture=architecture,
        family=Family.DECODER if decodes else family,
        weights=weights,
    )
    with tempfile.TemporaryDirectory() as place:
        try:
            return Combination(spec, folder, settings, kind).problem(Path(place) / "kept")
        except UnsupportedError as refused:
            return refused.reason
        except WeightsError as refused:
            return str(refused).split("\n")[0].removeprefix(f"backbone {architecture}: ")
        except (RuntimeError, ValueError, TypeError, AttributeError, KeyError, IndexError) as failed:
            return f"the library fails: {type(failed).__name__}"


def main(architectures: Sequence[str]) -> None:
    from workers.runtime.attempt import settle_environment

    answers = answer_stream()
    settle_environment()
    torch.set_num_threads(1)
    with answers:
        write_table(list(measure(architectures or tuple(ARCHITECTURES))), answers)


if __name__ == "__main__":
    main(sys.argv[1:])
