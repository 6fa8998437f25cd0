"""From anything: all it came from, and all that was made of it.

Most nodes are artefacts, which never change, joined by the edges stored when they were made. What can change (a
deployment, a published service) is no artefact: its app registers a relation that tells its rows and their links.
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_noop as _

from apps.core import artefact_types, selectors
from apps.core.access import Actor
from apps.core.errors import InvalidInput, NotFound
from apps.core.models import Artefact, LineageEdge, Project
from apps.core.selectors import as_uuid

Visible = dict[uuid.UUID, Project]
"""The projects through which somebody looks at a graph."""
LIMIT = 1_000
"""Nodes shown in one graph; a larger one is cut and says so."""
DEPTH_MAX = 100
DIRECTIONS = ("up", "down", "both")


@dataclass(frozen=True)
class Link:
    """`child` was made from `parent`, or stands on it; `role` is the name of the input."""

    parent: uuid.UUID
    child: uuid.UUID
    role: str = ""
    job: uuid.UUID | None = None


@dataclass
class Node:
    """state: in words, where a thing has one. stale: parents of which a newer version with other content exists.
    dead_end: nothing was made of it, although it is there for that. column: 0 for the sources on the left."""

    type: str
    id: uuid.UUID
    name: str
    version: str
    project: Project
    url: str
    state: str = ""
    state_label: str = ""
    job: uuid.UUID | None = None
    sha256: str = ""
    created_at: datetime | None = None
    size_bytes: int = 0
    stale: list[dict[str, str]] = field(default_factory=list)
    dead_end: bool = False
    column: int = 0
    shared_from: str = ""
    """Name of the project whose it is, where it is seen only because it is shared."""

    @property
    def title(self) -> str:
        return f"{self.name}:{self.version}" if self.version else self.name


ByType = Mapping[str, Collection[uuid.UUID]]
"""Ids of the nodes at hand, by their type."""


@dataclass(frozen=True)
class Relation:
    """Rows of an app in the graph that are no artefacts.

    nodes(ids): those of the ids that are its rows. links(way, ids): `up`: links whose child is among the ids, `down`:
    whose parent is; only those that end at one of its rows. final: nothing is made of them. walked: False for rows
    that are shown only when the graph is asked for around one of them.
    """

    type: str
    label: str | Promise
    icon: str
    nodes: Callable[[Collection[uuid.UUID]], list[Node]]
    links: Callable[[str, ByType], list[Link]]
    final: bool = False
    walked: bool = True


_relations: dict[str, Relation] = {}


def register(relation: Relation) -> None:
    if relation.type in _relations or artefact_types.get(relation.type):
        raise ValueError(f"{relation.type!r} is registered twice")
    _relations[relation.type] = relation


def label(type: str) -> str:
    """In the reader's language."""
    return str(_relations[type].label) if type in _relations else artefact_types.label(type)


def icon(type: str) -> str:
    known = artefact_types.get(type)
    return _relations[type].icon if type in _relations else known.icon if known else "file-text"


@dataclass
class Lineage:
    """Nodes around one, and the links between them. truncated: there were more than the limit."""

    centre: Node
    nodes: list[Node]
    links: list[Link]
    truncated: bool = False

    def parents(self) -> list[tuple[Node, str]]:
        """What the centre itself was made from, each with the name of the input."""
        nodes = {node.id: node for node in self.nodes}
        return [(nodes[link.parent], link.role) for link in self.links if link.child == self.centre.id]


def lineage(actor: Actor, type: str, id: str | uuid.UUID, direction: str = "both", depth: int | None = None) -> Lineage:
    """What something came from (`up`), what was made of it (`down`), or both; depth: so many generations each way.

    What belongs to projects the actor may not see ends the walk: neither it nor its links are shown. Raises NotFound
    for what does not exist or may not be seen, InvalidInput for a direction or depth that is none.
    """
    if direction not in DIRECTIONS:
        raise InvalidInput(_("Direction must be up, down or both."), direction=direction)
    if depth is not None and not 1 <= depth <= DEPTH_MAX:
        raise InvalidInput(_("Depth must be between 1 and %(most)d."), most=DEPTH_MAX)
    visible = {row.project_id: row.project for row in actor.memberships()}
    known = as_uuid(id)
    centre = _load([known], visible).get(known) if known else None
    if centre is None or centre.type != type:
        raise NotFound(_("There is no such artefact, or you may not see it."), type=type)
    actor.require("view", centre.project)
    walk = _Walk(centre, visible)
    for way in ("up", "down") if direction == "both" else (direction,):
        walk.go(way, depth or DEPTH_MAX)
    found = Lineage(centre, list(walk.nodes.values()), walk.shown(), walk.truncated)
    _mark(found, visible)
    return found


def get_node(actor: Actor, project: Project, type: str, id: str | uuid.UUID) -> Node:
    """Anything that a project may read and that stands in graphs: the one way to point at a thing. Raises NotFound."""
    actor.require("view", project)
    known = as_uuid(id)
    node = _load([known], {project.pk: project}).get(known) if known else None
    if node is None or node.type != type:
        raise NotFound(_("There is no such artefact, or you may not see it."), type=type)
    return node


def gone(ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those that name nothing any more, in any project."""
    left = set(ids)
    left -= set(Artefact.objects.filter(pk__in=left).values_list("pk", flat=True))
    for relation in _relations.values():
        left -= {node.id for node in relation.nodes(left)} if left else set()
    return left


class _Walk:
    """A graph that grows generation by generation."""

    def __init__(self, centre: Node, visible: Visible) -> None:
        self.visible = visible
        self.nodes = {centre.id: centre}
        self.links: dict[tuple[uuid.UUID, uuid.UUID, str], Link] = {}
        self.truncated = False
        self.centre = centre

    def go(self, way: str, depth: int) -> None:
        frontier = [self.centre]
        for _generation in range(depth):
            if not frontier or self.truncated:
                return
            links = _links(way, frontier)
            far = {link.parent if way == "up" else link.child for link in links} - set(self.nodes)
            reached = _load(far, self.visible) if far else {}
            room = LIMIT - len(self.nodes)
            self.truncated = len(reached) > room
            new = dict(list(reached.items())[:room])
            self.nodes.update(new)
            self.links.update({(link.parent, link.child, link.role): link for link in links})
            frontier = list(new.values())

    def shown(self) -> list[Link]:
        """Every link between the nodes, also between what was reached by different ways."""
        links = _links("down", self.nodes.values(), among=self.nodes)
        self.links.update({(link.parent, link.child, link.role): link for link in links})
        between = [link for link in self.links.values() if link.parent in self.nodes and link.child in self.nodes]
        return [replace(link, job=None) if self.nodes[link.child].shared_from else link for link in between]


def _links(way: str, near: Iterable[Node], among: Collection[uuid.UUID] | None = None) -> list[Link]:
    """Links one generation up or down from these nodes; among: only to artefacts of these."""
    by_type: dict[str, set[uuid.UUID]] = {}
    for node in near:
        by_type.setdefault(node.type, set()).add(node.id)
    artefacts = set().union(*(ids for type, ids in by_type.items() if type not in _relations))
    end, far = ("child", "parent") if way == "up" else ("parent", "child")
    rows = LineageEdge.objects.filter(**{f"{end}__in": artefacts}) if artefacts else LineageEdge.objects.none()
    if among is not None:
        rows = rows.filter(**{f"{far}__in": list(among)})
    links = [Link(row.parent_id, row.child_id, row.role, row.job_id) for row in rows]
    for relation in _relations.values():
        if relation.walked or relation.type in by_type:
            links += relation.links(way, by_type)
    return links


def _load(ids: Iterable[uuid.UUID], visible: Visible) -> dict[uuid.UUID, Node]:
    """The nodes of these ids that may be seen, artefacts first."""
    wanted = set(ids)
    rows = list(Artefact.objects.filter(pk__in=wanted).select_related("project").defer("manifest"))
    elsewhere = [row.pk for row in rows if row.project_id not in visible]
    readers = selectors.readers_of(visible.values(), elsewhere) if elsewhere else {}
    found = {row.pk: artefact_node(row) for row in rows if row.project_id in visible}
    found |= {row.pk: _shared_node(row, readers[row.pk]) for row in rows if row.pk in readers}
    for relation in _relations.values():
        if missing := wanted - {row.pk for row in rows}:
            found |= {node.id: node for node in relation.nodes(missing) if node.project.pk in visible}
    return found


def _shared_node(row: Artefact, reader: Project) -> Node:
    """As the project sees it that it is shared with: no word of the job or the people behind it."""
    node = artefact_node(row)
    return replace(
        node, project=reader, url=artefact_types.url(row, reader), job=None, shared_from=row.project.name
    )  # fmt: skip


def artefact_node(row: Artefact) -> Node:
    name, _colon, number = row.name.rpartition(":")
    name, version = (name, number) if name and number.isdecimal() else (row.name, "")
    return Node(
        row.type, row.pk, name, version, row.project, artefact_types.url(row),
        job=row.job_id, sha256=row.sha256, created_at=row.created_at, size_bytes=row.size_bytes,
    )  # fmt: skip


# --- marks and places


def _mark(found: Lineage, visible: Visible) -> None:
    """Mark dead ends and what stands on an older version, and give every node its column."""
    going_on = {link.parent for link in found.links}
    open_ends = [node for node in found.nodes if node.id not in going_on and not _is_final(node.type)]
    beyond = _links("down", open_ends) if open_ends else []
    reachable = _load({link.child for link in beyond}, visible) if beyond else {}
    going_on |= {link.parent for link in beyond if link.child in reachable}
    newest = _newest(found.nodes)
    by_id = {node.id: node for node in found.nodes}
    columns = _columns([node.id for node in found.nodes], found.links)
    for node in found.nodes:
        node.dead_end = node.id not in going_on and not _is_final(node.type)
        node.column = columns[node.id]
    for link in found.links:
        newer = newest.get(link.parent)
        if newer and newer.pk != link.child:  # a cleaned version is itself the newer one
            parent = by_id[link.parent]
            by_id[link.child].stale.append({"parent": parent.title, "newest": newer.name, "id": str(newer.pk)})


def _is_final(type: str) -> bool:
    known = artefact_types.get(type)
    return _relations[type].final if type in _relations else known is not None and known.final


def _newest(nodes: Iterable[Node]) -> dict[uuid.UUID, Artefact]:
    """Node → the newest version of the same thing, where that is another one and holds something else."""
    by_type: dict[str, dict[uuid.UUID, Node]] = {}
    for node in nodes:
        if not node.shared_from:  # another project's later versions are its own business
            by_type.setdefault(node.type, {})[node.id] = node
    found: dict[uuid.UUID, Artefact] = {}
    for type, known in by_type.items():
        registered = artefact_types.get(type)
        if registered and registered.newest:
            for id, newest in registered.newest(list(known)).items():
                if newest.pk != id and newest.sha256 != known[id].sha256:
                    found[id] = newest
    return found


def _columns(nodes: list[uuid.UUID], links: list[Link]) -> dict[uuid.UUID, int]:
    """Length of the longest way to each node; a source stands right before what was made of it. What loops (a row may
    change, so it could) keeps the column it had when it was reached first."""
    children: dict[uuid.UUID, list[uuid.UUID]] = {}
    waiting = dict.fromkeys(nodes, 0)
    for link in links:
        children.setdefault(link.parent, []).append(link.child)
        waiting[link.child] += 1
    column = dict.fromkeys(nodes, 0)
    sources = [node for node in nodes if not waiting[node]]
    queue = list(sources)
    while queue:
        node = queue.pop()
        for child in children.get(node, ()):
            column[child] = max(column[child], column[node] + 1)
            waiting[child] -= 1
            if not waiting[child]:
                queue.append(child)
    for node in sources:
        if node in children:
            column[node] = min(column[child] for child in children[node]) - 1
    return column


# --- what pages need


def graph_context(
    actor: Actor, type: str, id: uuid.UUID, asked: QueryDict | dict[str, Any] | None = None
) -> dict[str, Any]:
    """Context of `core/_lineage.html`: the graph around something as its island reads it, and as a list in words."""
    asked = asked or {}
    direction = asked.get("direction", "both")
    direction = direction if direction in DIRECTIONS else "both"
    depth = asked.get("depth", "")
    steps = int(depth) if depth.isascii() and depth.isdigit() and 1 <= int(depth) <= DEPTH_MAX else None
    found = lineage(actor, type, id, direction, steps)
    names = {node.id: node for node in found.nodes}
    jobs = artefact_types.jobs(node.job for node in found.nodes if node.job)
    rows = [
        {
            "node": node,
            "label": label(node.type),
            "icon": icon(node.type),
            "job": jobs.get(node.job, {}) if node.job else {},
            "graph": address(node),
            "parents": [names[link.parent] for link in found.links if link.child == node.id],
            "centre": node.id == found.centre.id,
        }
        for node in sorted(found.nodes, key=lambda node: (node.column, node.name, node.version))
    ]
    source = reverse("lineage", args=[type, id]) + f"?direction={direction}" + (f"&depth={steps}" if steps else "")
    return {
        "found": found, "rows": rows, "source": source, "direction": direction, "depth": steps,
        "has_stale": any(node.stale for node in found.nodes), "has_dead": any(node.dead_end for node in found.nodes),
        "centre_row": next(row for row in rows if row["centre"]),
    }  # fmt: skip


def address(node: Node) -> str:
    """The page of the graph around a node."""
    return reverse("core:lineage_detail", args=[node.project.slug, node.type, node.id])
