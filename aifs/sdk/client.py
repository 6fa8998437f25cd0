"""The client: one HTTP connection pool and a resource for each part of AIFS."""

import os
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx

from aifs.sdk.access import Access, find_access
from aifs.sdk.chat import Answer, Gateway
from aifs.sdk.datasets import Datasets
from aifs.sdk.deployments import Deployments
from aifs.sdk.errors import ConnectionFailed, Unavailable, from_response
from aifs.sdk.evaluations import Evaluations
from aifs.sdk.jobs import Jobs
from aifs.sdk.lineage import Lineage
from aifs.sdk.models import Models
from aifs.sdk.prompts import Prompts
from aifs.sdk.uploads import Uploads

TRIES = 4
TIMEOUT_S = 60.0


class Client:
    """url, api_key, project: else from the environment or from what is stored (see `aifs.sdk.access`).

    transport: an httpx transport, for tests that serve the application in the same process.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        project: str | None = None,
        gateway_url: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.access: Access = find_access(url, api_key, project, gateway_url)
        self.http = httpx.Client(
            base_url=self.access.url,
            headers={
                "Authorization": f"Bearer {self.access.api_key}",
                "Accept": "application/json",
                "Accept-Language": os.environ.get("AIFS_LANGUAGE") or _language(),
                "User-Agent": "aifs-sdk/1",
            },
            timeout=timeout_s,
            transport=transport,
            trust_env=False,
        )
        self.uploads = Uploads(self)
        self.jobs = Jobs(self)
        self.datasets = Datasets(self)
        self.models = Models(self)
        self.deployments = Deployments(self)
        self.evaluations = Evaluations(self)
        self.prompts = Prompts(self)
        self.lineage = Lineage(self)
        self.gateway = Gateway(self)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self.http.close()

    @property
    def project(self) -> str:
        """Slug or id of the project that calls work in; the key's own when none was named."""
        if not self.access.project:
            projects = self.get("projects/")["results"]
            if len(projects) != 1:
                raise from_missing_project(projects)
            self.access = Access(**{**self.access.__dict__, "project": projects[0]["slug"]})
        return self.access.project

    def chat(self, name: str, text: str | list[dict[str, Any]], **arguments: Any) -> Answer:
        """Ask a deployment or a published prompt (`prompt/<name>`). See `Gateway.chat`."""
        return self.gateway.chat(name, text, **arguments)

    # --- HTTP

    def get(self, path: str, **params: Any) -> Any:
        return self.request("GET", path, params={key: value for key, value in params.items() if value is not None})

    def post(self, path: str, body: dict[str, Any] | None = None, **options: Any) -> Any:
        """Create something. A repeated call after a broken connection gives the same object (Idempotency-Key)."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return self.request("POST", path, json=body if body is not None else {}, headers=headers, **options)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self.request("PATCH", path, json=body)

    def delete(self, path: str) -> None:
        self.request("DELETE", path)

    def pages(self, path: str, *, limit: int | None = None, **params: Any) -> Iterator[dict[str, Any]]:
        """Every object of a collection, page by page."""
        answer = self.get(path, **params)
        count = 0
        while True:
            for item in answer["results"]:
                if limit is not None and count >= limit:
                    return
                count += 1
                yield item
            if not answer.get("next"):
                return
            answer = self.request("GET", answer["next"])

    def request(self, method: str, path: str, **options: Any) -> Any:
        """One call to `/api/v1/`, as JSON. What may be repeated safely is, when the connection breaks or the server
        asks to wait. Raises AifsError."""
        response = self.send(method, path, **options)
        if response.status_code == 204 or not response.content:
            return None
        return response.json()

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """As `request`, but gives the answer itself."""
        url = path if path.startswith(("http", "/")) else f"/api/v1/{path}"
        safe = method in {"GET", "HEAD", "DELETE"} or "Idempotency-Key" in options.get("headers", {})
        for attempt in range(1, TRIES + 1):
            try:
                response = self.http.request(method, url, **options)
            except httpx.TransportError as error:
                if attempt == TRIES or not safe:
                    raise ConnectionFailed(
                        f"Nothing answers at {self.access.url}: {error}", code="no_connection", hint="Is AIFS running?"
                    ) from error
                time.sleep(0.3 * 2**attempt)
                continue
            if response.is_success:
                return response
            failure = from_response(response)
            if not (safe and isinstance(failure, Unavailable) and attempt < TRIES):
                raise failure
            time.sleep(min(failure.retry_after_s or 0.3 * 2**attempt, 10))
        raise AssertionError("the loop returns or raises")


def from_missing_project(projects: list[dict[str, Any]]) -> Exception:
    from aifs.sdk.errors import InvalidInput

    names = ", ".join(project["slug"] for project in projects)
    return InvalidInput(
        "Which project?" if projects else "This key sees no project.",
        code="no_project",
        hint=f"Name one with --project or AIFS_PROJECT: {names}" if names else "",
    )


def _language() -> str:
    return "zh-hans" if os.environ.get("LANG", "").lower().startswith("zh") else "en"
