"""Whether the words of foreign exceptions may be shown: they may quote text of patients."""

from __future__ import annotations

import os

_VARIABLE = "FRONTIER_DEBUG"
_IN_A_CLUSTER = "KUBERNETES_SERVICE_HOST"  # set in every container, whose logs have many readers


def show_words() -> None:
    """Show them from now on, in this process and those that it starts; in a cluster it changes nothing."""
    os.environ[_VARIABLE] = "1"


def shows_words() -> bool:
    return os.environ.get(_VARIABLE) == "1" and _IN_A_CLUSTER not in os.environ
