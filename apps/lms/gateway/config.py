"""What the gateway knows from its surroundings."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Config:
    """web_url: where prompts are rendered. spool: folder for usage that is not in the ledger yet; its own for each
    process. private_hosts: `host:port` pairs that external deployments may live at."""

    host: str
    port: int
    database_url: str
    web_url: str
    secret_key: str
    spool: Path
    private_hosts: frozenset[str] = field(default_factory=frozenset)

    body_max_bytes: int = 16 << 20
    headers_max_bytes: int = 64 << 10
    headers_within_s: float = 15.0
    body_within_s: float = 60.0
    connect_within_s: float = 2.0
    silence_s: float = 300.0
    """An engine that says nothing for so long is given up."""


def from_settings() -> Config:
    """From Django's settings; nothing else of Django is loaded."""
    from django.conf import settings

    return Config(
        host=settings.AIFS_GATEWAY_HOST,
        port=settings.AIFS_GATEWAY_PORT,
        database_url=settings.DATABASE_URL,
        web_url=settings.AIFS_INTERNAL_URL.rstrip("/"),
        secret_key=settings.SECRET_KEY,
        spool=settings.AIFS_HOME / "gateway" / f"usage-{settings.AIFS_GATEWAY_PORT}",
        private_hosts=frozenset(settings.AIFS_PRIVATE_HOSTS),
    )
