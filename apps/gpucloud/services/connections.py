"""The database connection of a long-running loop: one, direct, and quick to say that the server is away."""

from django.db import connection

CONNECT_S, STATEMENT_S, SILENCE_S = 3, 8, 6
FROZEN_S = 4
"""A process that is stopped inside a transaction must not hold its locks: the scheduler could not take its job back."""


def use_direct_connection() -> None:
    """Call before the first query. A pool would make every query wait for its time-out while the server is away."""
    options = {name: value for name, value in connection.settings_dict["OPTIONS"].items() if name != "pool"}
    limits = f"-c statement_timeout={STATEMENT_S}s -c idle_in_transaction_session_timeout={FROZEN_S}s"
    connection.settings_dict["OPTIONS"] = options | {
        "connect_timeout": CONNECT_S,
        "options": f"{options.get('options', '')} {limits}".strip(),
        "tcp_user_timeout": SILENCE_S * 1000,
        "keepalives_idle": SILENCE_S,
        "keepalives_interval": 2,
        "keepalives_count": 2,
    }
