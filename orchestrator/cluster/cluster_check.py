"""What one check of a cluster gives: good, bad or unsure, in words, with a fix."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckStatus(StrEnum):
    GOOD = "good"
    BAD = "bad"
    UNSURE = "unsure"  # it may be good: the user may not look, or nodes come on demand


@dataclass(frozen=True)
class ClusterCheck:
    status: CheckStatus
    message: str
    fix: str | None = None


def good(message: str) -> ClusterCheck:
    return ClusterCheck(CheckStatus.GOOD, message)


def bad(message: str, fix: str) -> ClusterCheck:
    return ClusterCheck(CheckStatus.BAD, message, fix)


def unsure(message: str, fix: str | None = None) -> ClusterCheck:
    return ClusterCheck(CheckStatus.UNSURE, message, fix)
