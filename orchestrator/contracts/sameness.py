"""What makes two texts, two ids or two labels the same: decided here, for every reader and every task.

Two spellings are the same where they have one key. Keys compare spellings and part splits; what the readers
give keeps the spelling of the file.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NewType

Identity = NewType("Identity", str)  # of a document, a patient, or of a text that has no id

NO_ID = Identity("")  # of what is malformed before its id is known: in one split, as everything is

# Unicode's Default_Ignorable_Code_Point (zero-width spaces and joiners, soft hyphens, byte order marks, marks
# of direction, variation selectors, tags), and the control characters that are no blanks.
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000e-\u001b\u007f-\u0084\u0086-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_WHOLE = re.compile(r"([+-]?[0-9]+)\.0+")  # 17.0 is what pandas writes for 17 beside a row without a number


def text_key(text: str) -> str:
    """Return the text in NFC, without invisible characters, with one space for each run of blanks and line
    ends."""
    words = " ".join(text.split())
    if words.isascii() and words.isprintable():
        return words
    return " ".join(unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).split())


def label_key(label: str) -> str:
    """Return the key of the label's text; 1.0 and 1 are one label, Yes and yes are two."""
    key = text_key(label)
    whole = _WHOLE.fullmatch(key)
    return whole[1] if whole else key


def id_key(value: Any) -> Identity:
    """Return the key of an id in a file, which is text or a number without decimals; NO_ID for anything else
    and for an empty id."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return Identity(label_key(str(value))) if isinstance(value, str | int) else NO_ID


def texts_key(texts: Sequence[Any]) -> Identity:
    """Return the key of a row without an id: its texts, or its lists of words, in order."""
    return Identity(json.dumps([_keys(text) for text in texts], default=str))


def words_key(sentences: Iterable[Iterable[str]]) -> Identity:
    """Return the key of a document without an id: the words of its sentences."""
    return Identity("\n".join(" ".join(map(text_key, words)) for words in sentences))


def _keys(value: Any) -> Any:
    if isinstance(value, list):
        return [_keys(item) for item in value]
    return text_key(value) if isinstance(value, str) else value


def look_alikes(labels: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each label that has the key of an earlier one with another spelling: (the earlier one, the label)."""
    first: dict[str, str] = {}
    for label in labels:
        earlier = first.setdefault(label_key(label), label)
        if earlier != label:
            yield earlier, label


def look_alike_of(label: str, labels: Collection[str]) -> str | None:
    """Return the known label that this one, which is not among them, looks like."""
    by_key: Mapping[str, str] = {label_key(name): name for name in labels}
    return by_key.get(label_key(label))


def spelling_fix(label: str, labels: Collection[str], otherwise: str) -> str:
    """Return the fix for an unknown label: how to write it if it looks like a known one."""
    meant = look_alike_of(label, labels)
    return otherwise if meant is None else f"write {visible(meant)} instead of {visible(label)}"


def visible(label: str) -> str:
    r"""The label in quotes, with everything escaped that the eye cannot tell: 'toux\u200b'."""
    return "'" + "".join(map(_shown, label)) + "'"


def _shown(character: str) -> str:
    plain = character.isprintable() and unicodedata.category(character)[0] not in "MZ"
    if character == " " or (plain and unicodedata.is_normalized("NFC", character)):
        return character
    return ascii(character)[1:-1]
