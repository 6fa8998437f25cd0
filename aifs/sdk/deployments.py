"""Deployments: a model behind the gateway under a name."""

import time
from typing import TYPE_CHECKING, Any

from aifs.sdk.errors import AifsError, NotFound

if TYPE_CHECKING:
    from aifs.sdk.client import Client

POLL_S = 1.0
WAIT_S = 900.0

Rows = list[dict[str, Any]]


class Deployments:
    def __init__(self, client: "Client") -> None:
        self._client = client

    def create(
        self,
        model: str,
        *,
        name: str,
        runtime: str = "auto",
        replicas: int = 1,
        params: dict[str, Any] | None = None,
        key: str = "",
    ) -> dict[str, Any]:
        """Deploy a model version (`name`, `name:version` or id), or an external endpoint that speaks OpenAI
        (`http://host:port/v1` with runtime `openai`). Raises Conflict when the name is taken."""
        body: dict[str, Any] = {"project": self._client.project, "name": name, "runtime": runtime}
        if model.startswith(("http://", "https://")):
            body |= {"external_url": model, "runtime": "openai"} | ({"external_key": key} if key else {})
        else:
            body |= {"model": model, "replicas": replicas, "runtime_params": params or {}}
        answer: dict[str, Any] = self._client.post("deployments/", body)
        return answer

    def list(self, **filters: Any) -> Rows:
        filters.setdefault("project", self._client.project)
        return list(self._client.pages("deployments/", **filters))

    def get(self, ref: str) -> dict[str, Any]:
        """By id or name. Raises NotFound."""
        if len(ref) == 36 and ref.count("-") == 4:
            found: dict[str, Any] = self._client.get(f"deployments/{ref}/")
            return found
        for deployment in self.list(name=ref):
            if deployment["name"] == ref:
                return deployment
        raise NotFound(f"There is no deployment called {ref}.", code="not_found")

    def update(self, ref: str, **fields: Any) -> dict[str, Any]:
        """Change a deployment; `model` rolls it to another version."""
        answer: dict[str, Any] = self._client.patch(f"deployments/{self.get(ref)['id']}/", fields)
        return answer

    def stop(self, ref: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.post(f"deployments/{self.get(ref)['id']}/stop/")
        return answer

    def delete(self, ref: str) -> None:
        self._client.delete(f"deployments/{self.get(ref)['id']}/")

    def wait(self, ref: str, timeout_s: float = WAIT_S, *, told: Any = None) -> dict[str, Any]:
        """Until it is ready. Raises AifsError with the reason when it failed or was stopped."""
        deadline = time.monotonic() + timeout_s
        while True:
            deployment = self.get(ref)
            if told:
                told(deployment)
            if deployment["state"] == "ready":
                return deployment
            if deployment["state"] in {"failed", "stopped"} or time.monotonic() > deadline:
                reason = deployment.get("reason") or {}
                words = reason.get("message", "") if isinstance(reason, dict) else str(reason)
                raise AifsError(
                    f"The deployment {deployment['name']} is {deployment['state']}. {words}".strip(),
                    code="not_ready",
                    data=deployment,
                )
            time.sleep(POLL_S)


def summary(deployment: dict[str, Any]) -> dict[str, Any]:
    """The object that `aifs deploy … --wait --json` prints."""
    return {
        "deployment": deployment["id"],
        **{name: deployment.get(name) for name in ("name", "state", "replicas", "runtime", "base_url")},
    }
