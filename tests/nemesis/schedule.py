"""Which fault comes when. Only the seed decides, so the same seed gives the same schedule on any machine."""

import random
from dataclasses import dataclass

from tests.nemesis.faults import FAULTS

FIRST_S, LAST_S = 5.0, 20.0
"""Nothing before the load runs, nothing in the last seconds before the healing."""
PAUSE_S = (5.0, 14.0)


@dataclass(frozen=True)
class Event:
    """at_s: after the beginning. choice: in [0, 1), decides the victim where there are several."""

    at_s: float
    fault: str
    choice: float


def schedule(seed: int, seconds: float) -> list[Event]:
    """Every fault comes once before any comes twice, as far as the time goes."""
    dice = random.Random(seed)
    events: list[Event] = []
    waiting: list[str] = []
    at = FIRST_S
    while at < seconds - LAST_S:
        if not waiting:
            waiting = sorted(FAULTS)
            dice.shuffle(waiting)
        events.append(Event(round(at, 2), waiting.pop(), dice.random()))
        at += dice.uniform(*PAUSE_S)
    return events
