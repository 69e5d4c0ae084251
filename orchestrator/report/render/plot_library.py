"""Plotly's script as the page carries it: compressed, in characters that a script element may hold.

The page is a file that people send by mail: 4.8 MB of script become 1.8. The page's own script unpacks it
(`unpacked` in templates/report.js).
"""

from __future__ import annotations

import zlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

_FIRST = ord("#")  # the digit 0 of base 85; the others follow
_LESS_THAN, _INSTEAD = ord("<"), ord("y")  # without it no text of the script can end its element


class PlotLibrary(NamedTuple):
    """`text`: five characters for four bytes, the last ones filled up; `size`: bytes that count."""

    text: str
    size: int


@cache
def plot_library() -> PlotLibrary:
    """Return the script that draws the plots."""
    return packed(files("plotly").joinpath("package_data", "plotly.min.js").read_bytes())


def packed(content: bytes) -> PlotLibrary:
    """Compress (zlib) and write in base 85, four bytes as a big-endian number, its highest digit first."""
    compressed = zlib.compress(content, 6)
    words = np.frombuffer(compressed + bytes(-len(compressed) % 4), dtype=">u4").astype(np.int64)
    digits = words[:, None] // 85 ** np.arange(4, -1, -1) % 85 + _FIRST
    digits[digits == _LESS_THAN] = _INSTEAD
    return PlotLibrary(text=digits.astype(np.uint8).tobytes().decode("ascii"), size=len(compressed))
