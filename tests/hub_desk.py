"""A sweep beside a hub on 127.0.0.1, and a command line that knows no other hub."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hub_server import Hub
from workshop import Workshop

OLD, NEW = "1234e5" + "0" * 34, "b" * 40  # commits


@dataclass
class HubDesk:
    """The sweep is `mini`."""

    shop: Workshop
    hub: Hub

    @property
    def lock(self) -> Path:
        return self.shop.root / "mini.lock"

    def locked_as(self, section: str, name: str) -> dict[str, Any]:
        return dict(yaml.safe_load(self.lock.read_text())[section][name])

    def json(self, *words: str, **environment: str) -> Any:
        """Return what a command prints on its standard output; how far it is goes elsewhere."""
        return json.loads(self._run(words, 0, environment).stdout)

    def frontier(self, *words: str, expect: int = 0, **environment: str) -> str:
        done = self._run(words, expect, environment)
        return done.stdout + done.stderr

    def _run(
        self, words: Sequence[str], expect: int, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        home = {"HF_ENDPOINT": self.hub.url, "HF_HOME": str(self.shop.root / "hf"), "COLUMNS": "300"}
        done = subprocess.run(
            self.shop.command(*words),
            cwd=self.shop.root,
            env=kept | home | dict(environment),
            capture_output=True,
            text=True,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done
