"""The way to endpoints elsewhere: a session that connects to nothing but what may be called."""

import socket
from collections.abc import Collection

import aiohttp
from aiohttp.abc import ResolveResult

from apps.core.addresses import refuse_private_address


class CheckedResolver(aiohttp.ThreadedResolver):
    """Checks the addresses that are connected to, so that a name which answers differently the second time (rebinding)
    leads nowhere. A host that is written as an address never comes here: `refuse_private_url` judges that before."""

    def __init__(self, allowed: Collection[str]) -> None:
        super().__init__()
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises InvalidInput when one of the addresses is not a public one."""
        found = await super().resolve(host, port, family)
        for row in found:
            refuse_private_address(row["host"], host, port, self._allowed)
        return found


def session(allowed: Collection[str], timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
    """allowed: `host:port` pairs that may be private. Nothing of the environment (proxies, .netrc) is used."""
    connector = aiohttp.TCPConnector(
        limit=0, keepalive_timeout=15, resolver=CheckedResolver(allowed), use_dns_cache=False
    )
    return aiohttp.ClientSession(
        connector=connector, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
    )
