"""Proof that a request comes from a process of this installation. No Django: the gateway signs and checks as well.

A token says for which project it speaks and when it was made; it is an HMAC under SECRET_KEY and works for a minute.
"""

import hashlib
import hmac
import time

HEADER = "X-AIFS-Internal"
VALID_S = 60


def sign(secret: str, project: str, now: float | None = None) -> str:
    """`project.second.hmac`"""
    second = int(time.time() if now is None else now)
    return f"{project}.{second}.{_mark(secret, project, second)}"


def verify(secret: str, token: str, now: float | None = None) -> str | None:
    """The project the token speaks for, or None when it proves nothing."""
    project, _dot, rest = token.partition(".")
    second, _dot, mark = rest.partition(".")
    if not second.isdecimal() or len(second) > 12:
        return None
    genuine = hmac.compare_digest(mark.encode(), _mark(secret, project, int(second)).encode())
    fresh = abs((time.time() if now is None else now) - int(second)) <= VALID_S
    return project if genuine and fresh else None


def _mark(secret: str, project: str, second: int) -> str:
    return hmac.new(secret.encode(), f"aifs internal {project}.{second}".encode(), hashlib.sha256).hexdigest()
