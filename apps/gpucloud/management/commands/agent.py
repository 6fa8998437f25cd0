"""`manage.py agent`: the node agent of this machine."""

import signal
import socket
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from apps.core.readiness import settle
from apps.gpucloud.agent import bell
from apps.gpucloud.agent.loop import Agent
from apps.gpucloud.services.connections import use_direct_connection


class Command(BaseCommand):
    requires_system_checks: tuple[str, ...] = ()
    """The checks load every page of the site; this process serves none."""
    help = (
        "Run the node agent. SIGTERM: runs are asked for a checkpoint and go back into the queue. SIGHUP: the agent "
        "ends at once and the next one takes over its runs."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        use_direct_connection()
        agent = Agent(
            settings.AIFS_NODE_NAME or socket.gethostname(), settings.AIFS_NODE_POOL, settings.AIFS_HOME / "runs"
        )
        signal.signal(signal.SIGTERM, lambda *_: agent.stop())
        signal.signal(signal.SIGINT, lambda *_: agent.stop())
        signal.signal(signal.SIGHUP, lambda *_: agent.hand_over())
        bell.listen(agent.name)
        settle()
        agent.run()
