"""UUIDv7 (RFC 9562, sections 5.7 and 6.2 method 3): ids that sort by time and can be made before their row is."""

import os
import time
import uuid


def uuid7() -> uuid.UUID:
    """48 bits of Unix milliseconds, 12 bits of their fraction (244 ns), then 62 random bits."""
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | fraction << 64
    return uuid.UUID(int=value | 0x2 << 62 | int.from_bytes(os.urandom(8)) >> 2)
