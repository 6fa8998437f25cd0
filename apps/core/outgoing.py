"""The one client for addresses that users name: a session that connects to nothing but what may be called.

No Django: the gateway uses it for endpoints elsewhere, the control queue for webhooks.
"""

import asyncio
import socket
from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from aiohttp.abc import ResolveResult

from apps.core.addresses import refuse_private_address, refuse_private_url
from workers.errors import InvalidInput

PHRASES = {status.value: status.phrase for status in HTTPStatus}
WRONG: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientSSLError, "no trusted connection"),
    (aiohttp.ServerDisconnectedError, "closed without an answer"),
    (aiohttp.ClientConnectionError, "no connection"),
    (aiohttp.ClientResponseError, "no answer in HTTP"),
    (Exception, "not sent"),
)
"""What went wrong, in words of ours: those of the errors hold what the other side said."""


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


@dataclass(frozen=True)
class Message:
    url: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """status 0: nothing came back, and `text` says why. Not a word of the receiver's is kept: who names an address does
    not read through us what stands there."""

    status: int
    text: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


async def post_all(messages: list[Message], allowed: Collection[str], timeout_s: float) -> list[Answer]:
    """Send them side by side, one for one; never raises for what a receiver does. Redirects are not followed: each
    would be one more address to judge."""
    async with session(allowed, aiohttp.ClientTimeout(total=timeout_s)) as client:
        return await asyncio.gather(*(_post(client, message, allowed) for message in messages))


async def _post(client: aiohttp.ClientSession, message: Message, allowed: Collection[str]) -> Answer:
    try:
        await asyncio.to_thread(refuse_private_url, message.url, allowed)
        async with client.post(
            message.url, data=message.body, headers=message.headers, allow_redirects=False
        ) as answer:
            return Answer(answer.status, PHRASES.get(answer.status, ""))
    except InvalidInput as error:
        return Answer(0, error.message % error.data if "%(" in error.message else error.message)
    except TimeoutError:
        return Answer(0, "no answer in time")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Answer(0, next(words for kind, words in WRONG if isinstance(error, kind)))
