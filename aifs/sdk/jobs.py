"""Jobs: everything long. `start` gives a handle that can be watched, waited for, stopped and started again."""

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx

from aifs.sdk.errors import AifsError, ConnectionFailed, JobFailed

if TYPE_CHECKING:
    from aifs.sdk.client import Client

ENDED = ("succeeded", "failed", "cancelled")
POLL_S = 0.5
RECONNECTS = 120


class Job:
    """One job as the server last told it. Attributes of the answer are read as `job["name"]`."""

    def __init__(self, client: "Client", data: dict[str, Any]) -> None:
        self.client = client
        self.data = data

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.data.get('kind')} {self.state}>"

    @property
    def id(self) -> str:
        return str(self.data["id"])

    @property
    def state(self) -> str:
        return str(self.data["state"])

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def outputs(self) -> dict[str, Any]:
        return self.data.get("outputs") or {}

    @property
    def reason(self) -> str:
        """Why it waits or how it ended, in words."""
        reason = self.data.get("reason") or {}
        return "\n".join(str(reason[part]) for part in ("message", "hint") if reason.get(part))

    @property
    def ending(self) -> str:
        """How it ended, where no reason was given."""
        return "The job was cancelled." if self.state == "cancelled" else f"The job {self.state}."

    def summary(self) -> dict[str, Any]:
        """The object that `aifs job start … --wait --json` prints."""
        return {
            "job": self.id,
            "state": self.state,
            "outputs": self.outputs,
            "metrics": self.data.get("metrics") or {},
            "duration_s": self.data.get("duration_s"),
        }

    def refresh(self) -> "Job":
        self.data = self.client.get(f"jobs/{self.id}/")
        return self

    def wait(
        self,
        *,
        progress: bool = False,
        told: Callable[[dict[str, Any]], None] | None = None,
        timeout_s: float | None = None,
        check: bool = True,
    ) -> "Job":
        """Wait until it has ended. `progress` draws a bar on standard error; `told` is called with every event instead.

        Raises JobFailed when it did not succeed (unless check is False), TimeoutError past timeout_s.
        """
        if progress:
            from aifs.sdk.progress import show

            show(self, timeout_s)
        else:
            self._watch(told or (lambda event: None), timeout_s)
        if check and self.state != "succeeded":
            raise JobFailed(self.reason or self.ending, job=self.data, code=f"job_{self.state}", data=self.data)
        return self

    def _watch(self, told: Callable[[dict[str, Any]], None], timeout_s: float | None = None) -> None:
        """Call `told` with every event until the job has ended; polls where events cannot be streamed."""
        deadline = time.monotonic() + timeout_s if timeout_s is not None else None
        seq = 0
        for _try in range(RECONNECTS):
            try:
                for event in self.events(seq, deadline):
                    seq = max(seq, int(event.get("seq") or 0))
                    told(event)
            except ConnectionFailed:
                time.sleep(1)
            self.refresh()
            if self.ended:
                return
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"The job {self.id} is still {self.state}.")
            time.sleep(POLL_S)

    def events(self, since: int = 0, deadline: float | None = None) -> Iterator[dict[str, Any]]:
        """Server-sent events after a sequence number, until the stream ends or the deadline (monotonic) has passed."""
        try:
            yield from self._events(since, deadline)
        except httpx.TransportError as error:
            raise ConnectionFailed(f"The event stream broke: {error}", code="no_connection") from error

    def _events(self, since: int, deadline: float | None) -> Iterator[dict[str, Any]]:
        from aifs.sdk.errors import from_response

        headers = {"Accept": "text/event-stream"}
        path = f"/api/v1/jobs/{self.id}/events/"
        with self.client.http.stream("GET", path, params={"since": since}, headers=headers, timeout=90) as response:
            if not response.is_success:
                response.read()
                raise from_response(response)
            for line in response.iter_lines():
                if line.startswith("data:"):
                    event = json.loads(line[5:])
                    yield event
                    if event["type"] == "job" and event["state"] in ENDED:
                        return
                if deadline is not None and time.monotonic() > deadline:
                    return

    def logs(self, *, follow: bool = False) -> Iterator[str]:
        """Lines of the log from the first one; `follow` goes on until the job has ended."""
        after = 0
        while True:
            ended = not follow or self.refresh().ended
            answer = self.client.get(f"jobs/{self.id}/logs/", after=after)
            for line in answer["lines"]:
                after = max(after, int(line["line"]))
                yield str(line["text"])
            if answer["lines"]:
                continue
            if ended:
                return
            time.sleep(1)

    def metrics(self) -> dict[str, Any]:
        """Every series: {name: {"steps": [...], "values": [...], "times": [...]}}."""
        series: dict[str, Any] = self.client.get(f"jobs/{self.id}/metrics/")["series"]
        return series

    def cancel(self) -> "Job":
        return self._act("cancel")

    def retry(self) -> "Job":
        """The same job, one more attempt."""
        return self._act("retry")

    def resume(self, step: int | None = None) -> "Job":
        """The same job, from its newest valid checkpoint, or from the one at a step."""
        return self._act("resume", {} if step is None else {"step": step})

    def clone(self, **params: Any) -> "Job":
        """A new job with the same parameters but those given."""
        return Job(self.client, self.client.post(f"jobs/{self.id}/clone/", {"params": params} if params else {}))

    def reproduce(self) -> "Job":
        """A new job on the same inputs; once it has ended, `verdict` says whether the same came out."""
        return Job(self.client, self.client.post(f"jobs/{self.id}/reproduce/"))

    @property
    def verdict(self) -> str:
        """`bit_equal`, `within_noise`, `diverged` or `unknown` of a reproduction; empty for other jobs."""
        return str((self.data.get("reproduction") or {}).get("verdict") or "")

    def _act(self, action: str, body: dict[str, Any] | None = None) -> "Job":
        answer = self.client.post(f"jobs/{self.id}/{action}/", body or None)
        self.data = answer if isinstance(answer, dict) and "state" in answer else self.refresh().data
        return self


Rows = list[dict[str, Any]]
Handles = list[Job]


class Jobs:
    """Start and find jobs."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def kinds(self) -> Rows:
        """Every job kind with the JSON Schema of its parameters."""
        kinds: Rows = self._client.get("job-kinds/")["results"]
        return kinds

    def start(
        self,
        kind: str,
        params: dict[str, Any],
        *,
        name: str = "",
        resources: dict[str, Any] | None = None,
        priority: int = 0,
        seed: int | None = None,
    ) -> Job:
        """Start a job; its inputs are named by id, `name` or `name:version`. Raises InvalidInput naming each field."""
        body: dict[str, Any] = {"project": self._client.project, "kind": kind, "params": params}
        optional = {"name": name, "resources": resources, "priority": priority, "seed": seed}
        body |= {key: value for key, value in optional.items() if value not in (None, "", 0)}
        return Job(self._client, self._client.post("jobs/", body))

    def get(self, id: str) -> Job:
        return Job(self._client, self._client.get(f"jobs/{id}/"))

    def list(self, *, limit: int | None = None, **filters: Any) -> Handles:
        """Newest first. filters: state, kind …"""
        filters.setdefault("project", self._client.project)
        return [Job(self._client, data) for data in self._client.pages("jobs/", limit=limit, **filters)]

    def run(self, kind: str, params: dict[str, Any], *, progress: bool = False, **options: Any) -> Job:
        """Start and wait. Raises JobFailed."""
        return self.start(kind, params, **options).wait(progress=progress)


def output(job: Job, name: str) -> dict[str, Any]:
    """One output of a job that has succeeded. Raises AifsError when it made none of that name."""
    if name not in job.outputs:
        raise AifsError(f"The job {job.id} has no output called {name}.", code="no_output", data={"job": job.id})
    found: dict[str, Any] = job.outputs[name]
    return found
