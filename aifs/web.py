"""`python -m aifs.web`: the web process on AIFS_HOST (loopback), or on the socket its parent gave it.

In production any ASGI server does: `aifs.asgi:application`.
"""

import os

import uvicorn

from apps.core.listening import Server
from apps.core.protocol import Bounded

DRAIN_S = 3
WS_MAX_BYTES = 64 << 10
"""Browsers only listen."""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aifs.settings")
    from django.conf import settings

    config = uvicorn.Config(
        "aifs.asgi:application",
        host=settings.AIFS_HOST,
        port=settings.AIFS_PORT,
        http=Bounded,
        ws_max_size=WS_MAX_BYTES,
        access_log=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    Server(config).run()


if __name__ == "__main__":
    main()
