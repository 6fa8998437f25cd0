"""Places the nodes of a lineage graph in columns: sources left, what was made of them right."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core import artefact_types
from apps.core.models import Artefact
from apps.core.selectors import Lineage

WIDTH, HEIGHT, GAP_X, GAP_Y = 190, 64, 50, 20


@dataclass(frozen=True)
class Box:
    """A node of the picture, in pixels."""

    artefact: Artefact
    label: str
    url: str
    job: dict[str, Any]
    x: int
    y: int
    centre: bool


def layered(found: Lineage) -> dict[str, Any]:
    """{"boxes", "centre", "lines", "width", "height", "box"}: boxes in columns, lines as SVG paths."""
    columns: dict[int, list[Artefact]] = {}
    depth = _depths([node.pk for node in found.nodes], [(edge.parent_id, edge.child_id) for edge in found.edges])
    for node in sorted(found.nodes, key=lambda node: node.pk):
        columns.setdefault(depth[node.pk], []).append(node)
    jobs = artefact_types.jobs(node.job_id for node in found.nodes if node.job_id)
    boxes = {
        node.pk: Box(
            node,
            str(artefact_types.label(node.type)),
            artefact_types.url(node),
            jobs.get(node.job_id, {}) if node.job_id else {},
            column * (WIDTH + GAP_X),
            row * (HEIGHT + GAP_Y),
            node.pk == found.centre.pk,
        )
        for column, nodes in columns.items()
        for row, node in enumerate(nodes)
    }
    lines = [_line(boxes[edge.parent_id], boxes[edge.child_id]) for edge in found.edges]
    tallest = max(len(nodes) for nodes in columns.values())
    return {
        "boxes": list(boxes.values()),
        "centre": boxes[found.centre.pk],
        "lines": lines,
        "width": (max(columns) + 1) * (WIDTH + GAP_X) - GAP_X,
        "height": tallest * (HEIGHT + GAP_Y) - GAP_Y,
        "box": {"width": WIDTH, "height": HEIGHT},
    }


def _depths(nodes: list[UUID], edges: list[tuple[UUID, UUID]]) -> dict[UUID, int]:
    """Length of the longest way to each node. Artefacts are immutable, so there is no cycle."""
    depth = dict.fromkeys(nodes, 0)
    for _pass in nodes:
        moved = False
        for parent, child in edges:
            if depth[child] < depth[parent] + 1:
                depth[child], moved = depth[parent] + 1, True
        if not moved:
            break
    return depth


def _line(start: Box, end: Box) -> str:
    """A curve from the right side of one box to the left side of another, as the `d` of an SVG path."""
    x1, y1 = start.x + WIDTH, start.y + HEIGHT // 2
    x2, y2 = end.x, end.y + HEIGHT // 2
    middle = (x1 + x2) // 2
    return f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}"
