"""The Python of an MLflow model: it loads the exported folder as the card does, without Frontier."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from orchestrator.contracts.exported import LOGGED_FOLDER, ModelUse
from orchestrator.contracts.vocabulary import TaskKind
from workers.data.readers import sentences
from workers.exported import one_text

_FOLDER = 'folder = "."  # this folder'
_HEAD = '''\
"""A model of Frontier for mlflow.pyfunc, which takes a table with {columns}.

It loads the folder `{folder}` beside this file by {libraries}, without Frontier.
"""

import re
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

'''
_MODEL = '''\
labels = [config.id2label[number] for number in sorted(config.id2label)]


def texts_of(table: Any, column: str) -> list[str]:
    """Return the texts of a column. Raises ValueError with the numbers of rows, from 0, that have none."""
    texts = list(table[column])
    missing = [str(row) for row, text in enumerate(texts) if not isinstance(text, str)]
    if missing:
        rows = ", ".join(missing[:10]) + (", …" if len(missing) > 10 else "")
        count = f"{{len(missing)}} of {{len(texts)}} rows"
        raise ValueError(f"{{column}}: {{count}} have no text: {{rows}}")
    return texts


class Answering(PythonModel):
    def predict(self, context, model_input, params=None):  # MLflow would read type hints as a signature
        """Return a row per text: {answer}."""
        texts = texts_of(model_input, "text")
        seconds = {seconds}
        return pd.DataFrame([{call} for text, second in zip(texts, seconds)])


set_model(Answering())
'''
_LOGITS = "logits_of(model, tokenizer, text, second, {length})"
_CALLS = {
    TaskKind.NER: "entities(model, tokenizer, text, labels, {length})",
    TaskKind.MULTILABEL: f"any_labels({_LOGITS}, labels, {{threshold}})",
    TaskKind.REGRESSION: f"number({_LOGITS}, {{scale.mean}}, {{scale.deviation}})",
}
_ONE_OF = f"one_label({_LOGITS}, labels)"
_ANSWERS = {
    TaskKind.NER: "its entities, with places of characters",
    TaskKind.MULTILABEL: "its labels, and the probability of each",
    TaskKind.REGRESSION: "its value",
}
_READS: dict[TaskKind, tuple[Callable[..., Any], ...]] = {
    TaskKind.NER: (one_text.joined, one_text.entities),
    TaskKind.MULTILABEL: (one_text.logits_of, one_text.any_labels),
    TaskKind.REGRESSION: (one_text.logits_of, one_text.number),
}


def mlflow_code(use: ModelUse, load: str) -> str:
    """Return the module that MLflow runs when it loads the model. `load` is the first part of the card's
    program."""
    libraries = "transformers and peft" if "from peft import" in load else "transformers"
    columns = "the columns text and second_text" if use.paired else "a column text"
    call = _CALLS.get(use.kind, _ONE_OF).format(
        length=use.max_length, threshold=use.threshold, scale=use.target_scale
    )
    reading = _READS.get(use.kind, (one_text.logits_of, one_text.one_label))
    parts = [
        _HEAD.format(columns=columns, folder=LOGGED_FOLDER, libraries=libraries),
        load.replace(_FOLDER, f'folder = str(Path(__file__).with_name("{LOGGED_FOLDER}"))'),
        *([inspect.getsource(sentences).partition("import re\n")[2]] if use.kind is TaskKind.NER else []),
        *(f"\n{inspect.getsource(function)}\n" for function in reading),
        _MODEL.format(
            answer=_ANSWERS.get(use.kind, "its label, and the probability of each"),
            seconds='texts_of(model_input, "second_text")' if use.paired else "[None] * len(texts)",
            call=call,
        ),
    ]
    return "".join(parts)
