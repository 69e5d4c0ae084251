"""The methods: full, selective, adapters inside the layers, virtual tokens before the text."""

from workers.methods.adapt import Adapted, adapt, count, head_modules
from workers.methods.counted import Counted, check_trained, count_trained
from workers.methods.quantised import refuse_quantised
from workers.methods.refusal import UnsupportedError
from workers.methods.targets import TARGETS

__all__ = [
    "TARGETS",
    "Adapted",
    "Counted",
    "UnsupportedError",
    "adapt",
    "check_trained",
    "count",
    "count_trained",
    "head_modules",
    "refuse_quantised",
]
