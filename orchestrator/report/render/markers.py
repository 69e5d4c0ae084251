"""The symbols of methods: what Plotly calls them, and the same shapes for legends, drawn, because the fonts
of some machines have no hexagon or bow tie."""

from __future__ import annotations

from markupsafe import Markup

MARKERS = {  # paths in a box from -8 to 8
    "circle": "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0z",
    "square": "M-5.5 -5.5h11v11h-11z",
    "diamond": "M0 -7L7 0L0 7L-7 0z",
    "triangle-up": "M0 -6.5L7 5.5H-7z",
    "cross": "M-2.2 -7h4.4v4.8h4.8v4.4h-4.8v4.8h-4.4v-4.8h-4.8v-4.4h4.8z",
    "x": "M-6 -3L-3 -6L0 -3L3 -6L6 -3L3 0L6 3L3 6L0 3L-3 6L-6 3L-3 0z",
    "star": "M0 -7.5L1.8 -2.5L7.1 -2.3L2.9 1L4.4 6.1L0 3.1L-4.4 6.1L-2.9 1L-7.1 -2.3L-1.8 -2.5z",
    "hexagon": "M0 -7L6 -3.5V3.5L0 7L-6 3.5V-3.5z",
    "triangle-down": "M0 6.5L-7 -5.5H7z",
    "bowtie": "M-7 -6L0 0L7 -6V6L0 0L-7 6z",
}


def line_marker(symbol: str, colour: str, dash: str) -> Markup:
    """The same on a piece of its line, which is solid or dashed."""
    return Markup(
        '<svg class="sign long" viewBox="-20 -8 40 16" aria-hidden="true">'
        '<path d="M-20 0H20" stroke="var(--{})" stroke-width="2.5" stroke-dasharray="{}"/>'
        '<path d="{}" fill="var(--{})"/></svg>'
    ).format(colour, "7 4" if dash == "dash" else "none", MARKERS[symbol], colour)


def marker(symbol: str, colour: str = "ink") -> Markup:
    """A small picture beside the name that it replaces, so it says nothing to a screen reader."""
    return Markup(
        '<svg class="sign" viewBox="-8 -8 16 16" aria-hidden="true"><path d="{}" fill="var(--{})"/></svg>'
    ).format(MARKERS[symbol], colour)
