"""The SDK of AIFS: what a program, a notebook or the `aifs` command needs to talk to an installation.

    from aifs.sdk import Client

    client = Client()  # AIFS_URL and AIFS_API_KEY, or what `aifs login` or `make up` left behind
    job = client.jobs.start("lmt.sft", {"model": "smollm2", "dataset": "facts", "name": "smollm2-facts"})
    job.wait(progress=True)
    print(client.chat("facts", "Which database does AIFS use?").text)

It speaks HTTP only and imports neither Django nor the application.
"""

from aifs.sdk.client import Client
from aifs.sdk.errors import (
    AifsError,
    Conflict,
    ConnectionFailed,
    InvalidInput,
    JobFailed,
    LimitReached,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Unavailable,
)
from aifs.sdk.jobs import Job

__all__ = [
    "AifsError",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "InvalidInput",
    "Job",
    "JobFailed",
    "LimitReached",
    "NotAllowed",
    "NotFound",
    "NotSignedIn",
    "Unavailable",
]
