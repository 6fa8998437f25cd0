"""`python -m apps.lms.gateway`"""

import logging
import os

import uvicorn

from apps.core.listening import Server
from apps.core.protocol import bounded
from apps.lms.gateway.app import Gateway
from apps.lms.gateway.config import Config, from_settings

DRAIN_S = 8


def server(config: Config) -> Server:
    """SIGTERM lets running answers finish for DRAIN_S."""
    return Server(
        uvicorn.Config(
            Gateway(config),
            host=config.host,
            port=config.port,
            http=bounded(config.headers_max_bytes, config.headers_within_s),
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=DRAIN_S,
        )
    )


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aifs.settings")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    server(from_settings()).run()


if __name__ == "__main__":
    main()
