"""Where an artefact came from and what was made of it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aifs.sdk.client import Client

SHORT = {"dataset": "dataset_version", "model": "model_version", "prompt": "prompt_version"}


class Lineage:
    def __init__(self, client: "Client") -> None:
        self._client = client

    def get(self, type: str, id: str, direction: str = "both") -> dict[str, Any]:
        """{"nodes": [...], "edges": [...]}. type: `dataset_version`, `model_version` … or short; id: an id, or `name`
        or `name:version` of a dataset, model or prompt."""
        type = SHORT.get(type, type)
        find = {
            "dataset_version": self._client.datasets.version,
            "model_version": self._client.models.version,
            "prompt_version": self._client.prompts.version,
        }
        if type in find and not (len(id) == 36 and id.count("-") == 4):
            id = find[type](id)["id"]
        answer: dict[str, Any] = self._client.get(f"lineage/{type}/{id}/", direction=direction)
        return answer
