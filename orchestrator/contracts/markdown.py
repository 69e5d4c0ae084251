"""A user's words in Markdown: shown as they are, and never a link, an image, a heading or HTML."""

from __future__ import annotations

import re

_SIGNS = re.compile(r"([\\`*_\[\]!#|])")
_OPENING = re.compile(r"(?<!\\)((?:\\\\)*)\[")  # a bracket that no backslash before it escapes


def plain(text: object) -> str:
    """Return the words on one line, with every Markdown character escaped."""
    return _SIGNS.sub(r"\\\1", " ".join(str(text).split())).replace("<", "&lt;")


def without_links(text: object) -> str:
    """Markdown without HTML, links and images. What `plain` gives stays as it is."""
    return _OPENING.sub(r"\1\\[", str(text)).replace("<", "&lt;")
