"""Which names, of environment variables and of parameters in an address, say that a value is a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PARTS = ("auth", "credential", "key", "pass", "pwd", "secret", "token")
_LOGIN = re.compile(r"://[^/@]*@")
_PASSWORD_IN_URI = re.compile(r"://[^/@:\s]*:[^/@\s]+@")
_SECRET = re.compile(
    r"(^|_)(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS?)(_|$)", re.IGNORECASE
)
_PLACE = re.compile(r"_(PATH|FILE|DIR)$", re.IGNORECASE)
_SERVICES = ("AWS_", "AZURE_", "KUBE", "MLFLOW_")  # no attempt speaks to them


def is_credential(name: str) -> bool:
    """Return whether the name suggests a secret. Names that only sound like one, such as PWD, count too."""
    return any(part in name.lower() for part in _PARTS)


def is_secret(name: str, value: str) -> bool:
    """Return whether a variable holds one, by whole words of its name or by a login in its value. Stricter
    than `is_credential`, for lists that a person reads."""
    secret_name = _SECRET.search(name) and not _PLACE.search(name)
    return bool(value) and bool(secret_name or _PASSWORD_IN_URI.search(value))


def without_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a process that needs no secrets: all processes of the account may read it.
    What holds a login in front of a host goes as well."""
    return {
        name: value
        for name, value in environment.items()
        if not (is_credential(name) or name.startswith(_SERVICES) or _LOGIN.search(value))
    }
