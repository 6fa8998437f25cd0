"""Clients that write down what they were told: accepted jobs, answers and their tokens, and what went wrong."""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.history import Answer

logging.getLogger("httpx").setLevel(logging.WARNING)  # thousands of requests: what failed is written down anyway

TIMEOUT_S = 60.0
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "Tell me of the harbour."}], "temperature": 1.0}


@dataclass
class Failure:
    """status: of the answer; 0 when there was none, or when a stream was cut."""

    at: float
    what: str
    status: int
    words: str = ""


@dataclass
class Records:
    """What all clients together know. `broken`: requests to the gateway after which nobody knows what was delivered."""

    accepted: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    broken: int = 0
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def accept(self, job: str) -> None:
        with self.lock:
            self.accepted.append(job)

    def count(self) -> None:
        with self.lock:
            self.requests += 1

    def fail(self, what: str, status: int, words: str = "") -> None:
        with self.lock:
            self.failures.append(Failure(time.monotonic(), what, status, words[:300]))

    def since(self, moment: float) -> list[Failure]:
        """Failures after a moment (monotonic)."""
        with self.lock:
            return [failure for failure in self.failures if failure.at > moment]


def chat(url: str, key: str, model: str, records: Records, *, fresh: bool = True, **options: Any) -> int:
    """One answer in one piece; the status, 0 when the connection broke. fresh: on a connection of its own."""
    records.count()
    headers = {"Authorization": f"Bearer {key}"} | ({"Connection": "close"} if fresh else {})
    try:
        answer = httpx.post(f"{url}/v1/chat/completions", json={**ASK, "model": model, "max_tokens": 12, **options},
                            headers=headers, timeout=TIMEOUT_S, trust_env=False)  # fmt: skip
    except httpx.HTTPError as error:
        with records.lock:
            records.broken += 1
        records.fail("chat", 0, repr(error))
        return 0
    if answer.status_code == 200:
        body = answer.json()
        usage = body["usage"]
        with records.lock:
            records.answers.append(Answer(body["id"], usage["completion_tokens"], usage["prompt_tokens"]))
    else:
        records.fail("chat", answer.status_code, answer.text)
    return answer.status_code


@dataclass
class Stream:
    """What a client has seen of a stream. pieces: events with text, each at least one token."""

    id: str = ""
    pieces: int = 0
    usage: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=dict)
    done: bool = False

    def see(self, line: str) -> None:
        if not line.startswith("data: "):
            return
        if line == "data: [DONE]":
            self.done = True
            return
        event = json.loads(line[6:])
        self.error = event.get("error") or self.error
        self.id = event.get("id") or self.id
        self.usage = event.get("usage") or self.usage
        choices = event.get("choices") or [{}]
        self.pieces += bool((choices[0].get("delta") or {}).get("content"))


def chat_stream(
    url: str,
    key: str,
    model: str,
    records: Records,
    *,
    leave_after: int = 0,
    seen: Stream | None = None,
    **options: Any,
) -> Stream:
    """One streamed answer. leave_after: close the connection after so many pieces. seen: filled while it comes."""
    records.count()
    seen, status, words = seen or Stream(), 0, ""
    body = {**ASK, "model": model, "max_tokens": 40, "stream": True, "stream_options": {"include_usage": True}}
    headers = {"Authorization": f"Bearer {key}", "Connection": "close"}
    try:
        with httpx.stream("POST", f"{url}/v1/chat/completions", json=body | options, headers=headers,
                          timeout=TIMEOUT_S, trust_env=False) as response:  # fmt: skip
            status = response.status_code
            if status != 200:
                words = response.read().decode(errors="replace")
            for line in response.iter_lines() if status == 200 else ():
                seen.see(line)
                if leave_after and seen.pieces >= leave_after:
                    break
    except httpx.HTTPError as error:
        words = repr(error)
    left = bool(leave_after) and seen.pieces >= leave_after
    whole = seen.done and bool(seen.usage)
    with records.lock:
        if seen.id:
            tokens = int(seen.usage.get("completion_tokens", 0)) if whole else seen.pieces
            prompt = int(seen.usage.get("prompt_tokens", 0)) if whole else 0
            records.answers.append(Answer(seen.id, tokens, prompt, whole))
        elif status in (0, 200):
            records.broken += 1
    if not (whole or left):
        records.fail("stream", 0 if status == 200 else status, words or json.dumps(seen.error))
    return seen


def read(url: str, key: str, path: str, records: Records) -> int:
    """GET of a page or of the API."""
    records.count()
    headers = {"Authorization": f"Bearer {key}", "Connection": "close"}
    try:
        answer = httpx.get(f"{url}{path}", headers=headers, timeout=TIMEOUT_S, trust_env=False)
    except httpx.HTTPError as error:
        records.fail(path, 0, repr(error))
        return 0
    if answer.status_code >= 400:
        records.fail(path, answer.status_code, answer.text)
    return answer.status_code


@contextlib.contextmanager
def steadily(*works: Callable[[], Any], every_s: float) -> Iterator[None]:
    """Each of these again and again in a thread of its own, every so often, until the block is left."""
    end = threading.Event()

    def repeat(work: Callable[[], Any]) -> None:
        while not end.is_set():
            began = time.monotonic()
            work()
            end.wait(max(0.0, every_s - (time.monotonic() - began)))

    threads = [threading.Thread(target=repeat, args=[work], daemon=True) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        end.set()
        for thread in threads:
            thread.join(TIMEOUT_S + 5)
