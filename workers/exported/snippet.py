"""The Python in a model card: it loads the exported folder and runs it, without Frontier."""

from __future__ import annotations

import inspect
from typing import NamedTuple

from orchestrator.contracts.backbone import HubWeights
from orchestrator.contracts.exported import BASE, ModelUse, WeightsLayout
from orchestrator.contracts.vocabulary import TaskKind
from workers.exported.before_text import put_before_text

_TEXT = "No fever since Monday, and the cough is mild."  # invented
_PAIR = "The patient has no fever."

_WHOLE = """\
model = {auto}.from_pretrained(folder, config=config, dtype=torch.float32).eval()
"""
_ADAPTER = """\
base = {auto}.from_pretrained(
    {base}, config=config, dtype=torch.float32, ignore_mismatched_sizes=True
)
model = {model}.eval()
"""
_SEQUENCE = """\
text = "{text}"
inputs = tokenizer(text, truncation=True, max_length={length}, return_tensors="pt")
"""
_PAIRS = """\
text, second = "{text}", "{second}"
if tokenizer.num_special_tokens_to_add(pair=True) == tokenizer.num_special_tokens_to_add(pair=False):
    second = "\\n" + second  # this tokenizer puts nothing between the two
inputs = tokenizer(text, second, truncation="longest_first", max_length={length}, return_tensors="pt")
"""
_ONE_OF = """\
with torch.no_grad():
    probabilities = model(**inputs).logits[0].softmax(-1)
for number, label in config.id2label.items():
    print(f"{{label}}: {{probabilities[number]:.3f}}")
"""
_ANY_OF = """\
with torch.no_grad():
    probabilities = model(**inputs).logits[0].sigmoid()
for number, label in config.id2label.items():
    given = "yes" if probabilities[number] >= {threshold} else "no"
    print(f"{{label}}: {{given}} ({{probabilities[number]:.3f}})")
"""
_NUMBER = """\
with torch.no_grad():
    value = {scale.mean} + {scale.deviation} * model(**inputs).logits[0, 0].item()
print(f"{{value:.3f}}")
"""
_WORDS = """\
text = "{text}"
words = re.findall(r"\\w+|[^\\w\\s]", text)
inputs = tokenizer(
    " ".join(words), truncation=True, max_length={length}, return_tensors="pt", return_offsets_mapping=True
)
pieces = list(zip(inputs.tokens(), inputs.pop("offset_mapping")[0].tolist()))
with torch.no_grad():
    probabilities = model(**inputs).logits[0].softmax(-1)
start = 0
for word in words:  # the tag of a word is that of its first piece
    end = start + len(word)
    first = [n for n, (piece, (a, b)) in enumerate(pieces) if piece != "\u2581" and a < end and b > start][:1]
    print(word, config.id2label[int(probabilities[first[0]].argmax())] if first else "O")
    start += len(word) + 1
"""


class Program(NamedTuple):
    """The two parts of the snippet: the first loads `model` and its tokenizer, the second answers a text."""

    load: str
    answer: str


def usage_program(use: ModelUse, layout: WeightsLayout, *, has_base: bool) -> Program:
    """Return a program that reads the folder it is started in. `has_base`: the backbone is in it."""
    ner, adapter = use.kind is TaskKind.NER, layout is WeightsLayout.ADAPTER
    door = adapter and use.method.settings.embeds_virtual_tokens
    auto = "AutoModelForTokenClassification" if ner else "AutoModelForSequenceClassification"
    standard = [*(["import re"] if ner else []), *(["from typing import Any"] if door else [])]
    lines = [*standard, ""] if standard else []
    lines += ["import torch", *(["from peft import PeftModel"] if adapter else [])]
    lines += [f"from transformers import AutoConfig, {auto}, AutoTokenizer", ""]
    lines += ["", inspect.getsource(put_before_text), ""] if door else []
    lines += [
        'folder = "."  # this folder',
        "config = AutoConfig.from_pretrained(folder)",
        "tokenizer = AutoTokenizer.from_pretrained(folder)",
    ]
    if adapter:
        loaded = "PeftModel.from_pretrained(base, folder)"
        model = f"put_before_text({loaded})" if door else loaded
        load = _ADAPTER.format(auto=auto, base=_base(use, has_base=has_base), model=model)
    else:
        load = _WHOLE.format(auto=auto)
    return Program(
        load="\n".join(lines) + f"\n{load}\n",
        answer=_answer(use),
    )


def _answer(use: ModelUse) -> str:
    if use.kind is TaskKind.NER:
        template = _WORDS
    else:
        reading = {TaskKind.MULTILABEL: _ANY_OF, TaskKind.REGRESSION: _NUMBER}.get(use.kind, _ONE_OF)
        template = (_PAIRS if use.paired else _SEQUENCE) + reading
    return template.format(
        text=_TEXT,
        second=_PAIR,
        length=use.max_length,
        threshold=use.threshold,
        scale=use.target_scale,
    )


def _base(use: ModelUse, *, has_base: bool) -> str:
    weights = use.backbone.weights
    if isinstance(weights, HubWeights) and not has_base:
        return f'"{weights.hub}", revision="{weights.revision}"'
    return f'f"{{folder}}/{BASE}"'
