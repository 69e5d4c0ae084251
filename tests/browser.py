"""A headless Chromium, driven through its DevTools protocol: one tab, one file, and what it had to say.

It runs with every background service off, and no name resolves: a page that asks the network for anything
is caught asking, and gets nothing.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-port=0",
)
_PATIENCE = 60.0  # seconds until a browser that says nothing is given up


def chromium() -> str | None:
    """The browser of this machine: FRONTIER_CHROMIUM, or one on the path."""
    return os.environ.get("FRONTIER_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One tab. `requests` are the addresses it asked for, `complaints` what the page said on the console."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=_PATIENCE, suppress_origin=True)
        self._numbers = itertools.count(1)
        self.untouched: object = None  # what a test has left as it was opened
        self.requests: list[str] = []
        self.problems: list[str] = []
        self._loaded = False
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                return dict(message["result"])
            self._note(message.get("method"), message.get("params", {}))

    def _note(self, event: str | None, found: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Network.requestWillBeSent":
            self.requests.append(found["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.problems.append(str(found["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and found["type"] in ("error", "warning", "assert"):
            self.problems.append(str(found["args"]))
        elif event == "Log.entryAdded" and found["entry"]["level"] in ("error", "warning"):
            self.problems.append(found["entry"]["text"])

    def open(self, url: str) -> None:
        """Returns once the page is loaded and has been painted twice."""
        self._loaded = False
        self.call("Page.navigate", url=url)
        until = time.monotonic() + _PATIENCE
        while not self._loaded:
            assert time.monotonic() < until, f"{url} was not loaded in {_PATIENCE:.0f} s"
            message = json.loads(self._socket.recv())
            self._note(message.get("method"), message.get("params", {}))
        self.evaluate("window.drawn")  # its plots, once their library is unpacked
        self.painted()

    def painted(self) -> None:
        frame = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))"
        self.evaluate(frame)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def resize(self, width: int, height: int) -> None:
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )

    def emulate(self, *, dark: bool = False, media: str = "") -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def print_to_pdf(self, path: Path) -> None:
        found = self.call("Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69)
        path.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        self._socket.close()


@contextmanager
def tab(binary: str) -> Iterator[Tab]:
    """A browser of its own with an empty profile; both are gone afterwards."""
    with TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        command = [binary, *_FLAGS, *sandbox, f"--user-data-dir={profile}", "about:blank"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                found = Tab(_address(process, Path(profile)))
                yield found
                found.close()
            finally:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(10)
                process.kill()


def _address(process: subprocess.Popen[bytes], profile: Path) -> str:
    """Of the only tab. The browser writes the port that it was given into its profile."""
    import urllib.request

    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, f"the browser ended at once, with {process.returncode}"
        with suppress(OSError, ValueError, StopIteration):
            port = (profile / "DevToolsActivePort").read_text().split("\n")[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{int(port)}/json/list", timeout=5) as answer:
                pages = json.loads(answer.read())
            return str(next(p["webSocketDebuggerUrl"] for p in pages if p["type"] == "page"))
        time.sleep(0.05)
    raise AssertionError(f"the browser opened no DevTools port in {_PATIENCE:.0f} s")
