"""What a service on the network answers to somebody who shows no login."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

from orchestrator.contracts.servers import login_headers

_SECONDS = 20.0


def status_of(url: str, login: tuple[str, str] | None = None, *, proxies: bool = False) -> int | None:
    """Return the HTTP status of a GET without a login, or with the one given; None: nothing answers.

    `proxies`: go through those that the environment names. Redirects are followed, as a user's browser would.
    """
    handlers = [] if proxies else [urllib.request.ProxyHandler({})]
    request = urllib.request.Request(url, headers=login_headers(login))  # noqa: S310, the callers' schemes are http and https
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except (OSError, http.client.HTTPException, ValueError):
        return None
