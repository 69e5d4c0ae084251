"""How figures look: readable in grey print, with fonts inside, the same bytes from the same report."""

from __future__ import annotations

from typing import Any

# Apart in grey as well: their luminances are 0, 0.38, 0.52 and 0.75.
COLOURS = ("#000000", "#2f6fb0", "#d9702b", "#b9c46a")
MARKERS = ("o", "s", "D", "^", "P", "X", "*", "h", "v", "<", ">", "p")
DASHES = ("-", "--", "-.", ":")
INK, FAINT, BAND = "#000000", "#8c8c8c", 0.12
WIDTH, HEIGHT, LINE = 5.5, 3.4, 0.17  # inches; LINE: of text below the axes

SETTINGS: dict[str, Any] = {
    "axes.grid": True,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",  # matplotlib brings it: no machine draws another one
    "font.size": 8,
    "grid.color": "#d9d9d9",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 5,
    "pdf.fonttype": 42,  # TrueType, embedded: journals refuse Type 3
    "savefig.bbox": "tight",  # a long name widens the figure, and is never cut
    "savefig.dpi": 300,
    "savefig.pad_inches": 0.03,
    "svg.fonttype": "path",  # letters as outlines: no font is needed to show it
    "svg.hashsalt": "frontier",  # else each file has ids of its own
    "text.parse_math": False,  # a name may have a dollar sign
}
# Each format with the metadata that would change from day to day, or from version to version.
FORMATS: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Creator": "Frontier", "Producer": None},
    "svg": {"Date": None, "Creator": "Frontier"},
    "png": {"Software": "Frontier"},
}
