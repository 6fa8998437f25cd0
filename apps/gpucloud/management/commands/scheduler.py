"""`manage.py scheduler`: gives waiting jobs to nodes. Any number may run; one at a time does the work."""

import logging
import signal
import time
from typing import Any

import psycopg
from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, connection

from apps.core.readiness import announce_ready, settle
from apps.gpucloud.services.connections import use_direct_connection
from apps.gpucloud.services.scheduling import FINISH_AGAIN_S, Clock, Every, ring_finishers_again, tick
from apps.gpucloud.services.wakeups import SCHEDULER_CHANNEL, warm_up

log = logging.getLogger(__name__)

TICK_EVERY_S = 1.0
SLOW_TICK_S = 0.1


class Command(BaseCommand):
    requires_system_checks: tuple[str, ...] = ()
    """The checks load every page of the site; this process serves none."""
    help = "Place waiting jobs on nodes: at once when a job is submitted or a place is free, else every second."

    def handle(self, *args: Any, **options: Any) -> None:
        use_direct_connection()
        self.running = True
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, self._end)
        warm_up()
        clock, bell = Clock(), Every(FINISH_AGAIN_S)
        settle()
        while self.running:
            try:
                self._listen(clock, bell)
            except (OperationalError, InterfaceError, psycopg.Error) as error:
                log.warning("the database is away: %s", str(error).strip())
                connection.close()
                time.sleep(0.5)
            except Exception:  # a bug; the next tick may not meet it, and a dead scheduler would help nobody
                log.exception("a tick failed")
                time.sleep(TICK_EVERY_S)

    def _end(self, *_: object) -> None:
        self.running = False

    def _listen(self, clock: Clock, bell: Every) -> None:
        """Ticks until the connection breaks. The listening connection is one of its own."""
        with psycopg.connect(**_listener_parameters(), autocommit=True) as listener:
            listener.execute(f"LISTEN {SCHEDULER_CHANNEL}")
            while self.running:
                started = time.monotonic()
                done = tick(clock)
                if not done.held and bell.is_due():
                    ring_finishers_again()
                announce_ready()
                took = time.monotonic() - started
                if took > SLOW_TICK_S:
                    log.warning("a tick took %.0f ms (%d placed, %d waiting)", took * 1000, done.placed, done.waiting)
                for _notice in listener.notifies(timeout=TICK_EVERY_S, stop_after=1):
                    break


def _listener_parameters() -> dict[str, Any]:
    connection.ensure_connection()
    info = connection.connection.info
    return {**info.get_parameters(), "password": info.password}
