"""The submitter's pod: submit the driver to Ray unless it is there, follow it to its end.

    python -m orchestrator.cluster.submitter -- frontier run /etc/frontier/sweep.yaml --address auto

It asks the jobs API again and again instead of holding a stream open: a broken connection is no end, and only
a state that Ray itself calls final is one. A head that was replaced knows no jobs, so the same id is
submitted to it again, and the driver continues from its records. Ended (SIGTERM) it leaves the job running;
the next submitter finds it.

How the driver ended KubeRay hears from Ray, once the submitter is through: one that ended badly would be
started again before that, over and over. What Ray calls failed KubeRay tries again on another cluster. A
driver that refuses its input would refuse it there as well, so it has its own job stopped: to KubeRay that is
an end.

The operator hands over RAY_DASHBOARD_ADDRESS, RAY_JOB_SUBMISSION_ID and RAY_AUTH_TOKEN. Standard library
only. Exit codes: 0 the driver has ended, 1 given up, 2 refused (arguments, token, request), 3 out of reach
for too long.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum


class Exit(IntEnum):
    ENDED = 0
    GIVEN_UP = 1
    REFUSED = 2
    UNREACHABLE = 3


_FINAL = ("SUCCEEDED", "FAILED", "STOPPED")
_INPUT_REFUSED = 2  # the driver's exit code
_STOP_SECONDS = 60  # for Ray to stop the job; then it fails after all
_MOST_REFUSALS = 5  # of one submission, one after the other
_LAST_LINES = 50  # of the driver's log, when it ended; its verdict is the last one


class OutOfReachError(Exception):
    """No answer, or one that may be another in a moment."""


@dataclass(frozen=True)
class Api:
    """Ray's jobs API."""

    address: str
    token: str | None = None
    timeout_seconds: float = 20.0

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> tuple[int, object]:
        """Status and decoded body (text where it is no JSON). Raises OutOfReachError."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        url = (self.address if "://" in self.address else f"http://{self.address}").rstrip("/") + path
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310, KubeRay gives it
        try:
            with _STRAIGHT.open(request, timeout=self.timeout_seconds) as answer:
                return answer.status, _decoded(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _body_of(error)
        except (OSError, http.client.HTTPException) as error:
            raise OutOfReachError(f"{type(error).__name__}: {error}") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


# To the head itself: a proxy or another host would be handed the token.
_STRAIGHT = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())


def _body_of(error: urllib.error.HTTPError) -> object:
    try:
        with error:
            return _decoded(error.read())
    except (OSError, http.client.HTTPException) as broken:
        raise OutOfReachError(f"{type(broken).__name__}: {broken}") from None


def _decoded(content: bytes) -> object:
    text = content.decode(errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


@dataclass
class Submitter:
    """`wait` and `now` are the clock: seconds."""

    api: Api
    submission_id: str
    entrypoint: str
    poll_seconds: float = 5.0
    unreachable_seconds: float = 1200.0  # longer than a head takes to come back on a new node
    most_submissions: int = 20
    say: Callable[[str], None] = print
    wait: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    _submissions: int = field(default=0, init=False)
    _refusals: int = field(default=0, init=False)
    _told: str = field(default="", init=False)

    def run(self) -> Exit:
        heard = self.now()
        while True:
            try:
                end = self._turn()
                heard = self.now()
            except OutOfReachError as error:
                silent = self.now() - heard
                if silent >= self.unreachable_seconds:
                    self._tell(f"no answer from {self.api.address} for {silent:.0f} s: giving up ({error})")
                    return Exit.UNREACHABLE
                self._tell(f"{self.api.address} is out of reach, asking again: {error}")
                end = None
            if end is not None:
                return end
            self.wait(self.poll_seconds)

    def _turn(self) -> Exit | None:
        """One look at the job, and what follows from it. None: keep looking."""
        status, job = self.api.ask("GET", f"/api/jobs/{self.submission_id}")
        if status == 404:
            return self._submit()
        if status in (401, 403):
            return self._unauthorised(status)
        if status != 200 or not isinstance(job, dict):
            raise OutOfReachError(f"HTTP {status}")
        state = str(job.get("status"))
        self._refusals = 0
        self._tell(f"job {self.submission_id}: {state}")
        if state not in _FINAL:
            return None
        self._tell_end(job)
        return Exit.ENDED

    def _submit(self) -> Exit | None:
        if self._submissions >= self.most_submissions:
            self._tell(f"{self._submissions} heads have lost the job: giving up")
            return Exit.GIVEN_UP
        entrypoint = never_retried_where_refused(self.entrypoint, self.submission_id)
        body = {"entrypoint": entrypoint, "submission_id": self.submission_id}
        status, answer = self.api.ask("POST", "/api/jobs/", body)
        if status == 200:
            again = " again: the head is a new one" if self._submissions else ""
            self._submissions += 1
            self._tell(f"job {self.submission_id}: submitted{again}")
            return None
        if status in (401, 403):
            return self._unauthorised(status)
        if status >= 500:  # no agent yet, or another submitter was quicker: the next look shows which
            raise OutOfReachError(f"HTTP {status} to the submission")
        self._refusals += 1
        if self._refusals < _MOST_REFUSALS:
            return None
        self._tell(f"Ray refuses the job (HTTP {status}): {_last_line(answer)}")
        return Exit.REFUSED

    def _unauthorised(self, status: int) -> Exit:
        self._tell(
            f"Ray refuses the token (HTTP {status}): RAY_AUTH_TOKEN is not that of this cluster's secret"
        )
        return Exit.REFUSED

    def _tell_end(self, job: Mapping[str, object]) -> None:
        try:
            _, logs = self.api.ask("GET", f"/api/jobs/{self.submission_id}/logs")
        except OutOfReachError:
            logs = None
        text = logs.get("logs") if isinstance(logs, dict) else None
        for line in str(text or "").splitlines()[-_LAST_LINES:]:
            self.say(f"  {line}")
        for line in str(job.get("message") or "").splitlines()[:1]:  # what follows it is the log again
            self.say(line)

    def _tell(self, line: str) -> None:
        """Each state once, not once a look."""
        if line != self._told:
            self._told = line
            self.say(line)


def never_retried_where_refused(entrypoint: str, submission_id: str) -> str:
    """Return the command for the shell on the head. The trap makes it wait until a stopped driver has
    ended."""
    stop = f"ray job stop --no-wait --address http://127.0.0.1:8265 {submission_id}; sleep {_STOP_SECONDS}"
    return (
        f"trap : TERM; {entrypoint}; code=$?; if [ $code -eq {_INPUT_REFUSED} ]; then {stop}; fi; exit $code"
    )


def _last_line(answer: object) -> str:
    lines = str(answer).strip().splitlines()
    return lines[-1] if lines else "no reason was given"


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    environment = os.environ if environment is None else environment
    parser = argparse.ArgumentParser(prog="python -m orchestrator.cluster.submitter")
    parser.add_argument("--poll-seconds", type=float, default=Submitter.poll_seconds)
    parser.add_argument("--unreachable-seconds", type=float, default=Submitter.unreachable_seconds)
    parser.add_argument("entrypoint", nargs="+", help="the driver's command")
    options = parser.parse_args(arguments)
    missing = [n for n in ("RAY_DASHBOARD_ADDRESS", "RAY_JOB_SUBMISSION_ID") if not environment.get(n)]
    if missing:
        print(f"{' and '.join(missing)} must be set: KubeRay does so in K8sJobMode", file=sys.stderr)
        return Exit.REFUSED
    return Submitter(
        api=Api(environment["RAY_DASHBOARD_ADDRESS"], environment.get("RAY_AUTH_TOKEN")),
        submission_id=environment["RAY_JOB_SUBMISSION_ID"],
        entrypoint=" ".join(options.entrypoint),
        poll_seconds=options.poll_seconds,
        unreachable_seconds=options.unreachable_seconds,
        say=lambda line: print(line, flush=True),
    ).run()


if __name__ == "__main__":
    sys.exit(main())
