"""Whoever keeps a copy of the API keys (the gateway's snapshot) asks to be told when they change.

Callbacks run inside the transaction of the change, so a revoked key and the copy without it are one deed.
"""

from collections.abc import Callable

_callbacks: list[Callable[[], object]] = []


def register(callback: Callable[[], object]) -> None:
    if callback not in _callbacks:
        _callbacks.append(callback)


def announce() -> None:
    """Keys, members or roles have changed: whatever is derived from them is out of date."""
    for callback in _callbacks:
        callback()
