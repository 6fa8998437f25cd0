"""Nodes and their devices, as the agents report them."""

import uuid
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from apps.core.errors import Conflict
from apps.gpucloud.models import Accelerator, Attempt, AttemptState, Node, NodeState
from apps.gpucloud.services.wakeups import wake_node, wake_scheduler

DEVICE_FIELDS = (
    "uuid", "model", "memory_total_mib", "memory_used_mib", "utilisation_pct", "temperature_c", "power_w", "health",
    "driver",
)  # fmt: skip


@transaction.atomic
def register_node(
    name: str, pool: str, agent_id: uuid.UUID, machine: dict[str, Any], devices: list[dict[str, Any]]
) -> Node:
    """A new agent speaks for the node from now on; one that spoke before it finds itself replaced at its next
    heartbeat."""
    node, _created = Node.objects.get_or_create(name=name, defaults={"pool": pool})
    Node.objects.filter(pk=node.pk).update(agent_id=agent_id, heartbeat_at=Now(), **machine)
    Node.objects.filter(pk=node.pk, state=NodeState.LOST).update(state=NodeState.READY)
    store_devices(node, devices)
    wake_scheduler()
    node.refresh_from_db()
    return node


def beat(node_id: uuid.UUID, agent_id: uuid.UUID, machine: dict[str, Any]) -> NodeState | None:
    """One heartbeat. Returns the node's state, or None when another agent speaks for the node now."""
    mine = Node.objects.filter(pk=node_id, agent_id=agent_id)
    if not mine.update(heartbeat_at=Now(), **machine):
        return None
    state = mine.values_list("state", flat=True).get()
    if state == NodeState.LOST:
        mine.filter(state=NodeState.LOST).update(state=NodeState.READY)
        wake_scheduler()
        return NodeState.READY
    return NodeState(state)


def leave(node_id: uuid.UUID, agent_id: uuid.UUID) -> None:
    """The agent ends in good order: nothing new is placed here until it is back."""
    Node.objects.filter(pk=node_id, agent_id=agent_id).update(agent_id=None)


@transaction.atomic
def store_devices(node: Node, devices: list[dict[str, Any]]) -> None:
    """What the vendors' tools report now. A device that is no longer reported is marked missing, never deleted."""
    seen = set()
    for device in devices:
        seen.add((device["vendor"], device["index"]))
        values = {name: device.get(name) for name in DEVICE_FIELDS}
        values |= {name: values[name] or "" for name in ("uuid", "model", "driver")}
        values["health"] = values["health"] or "ok"
        Accelerator.objects.update_or_create(
            node=node, vendor=device["vendor"], index=device["index"], defaults=values | {"seen_at": timezone.now()}
        )
    for gone in Accelerator.objects.filter(node=node).exclude(health="missing"):
        if (gone.vendor, gone.index) not in seen:
            Accelerator.objects.filter(pk=gone.pk).update(health="missing")


def set_node_state(node: Node, state: NodeState) -> None:
    """ready: takes jobs. cordoned: keeps its runs, takes no more. draining: its runs are asked to stop and move on.

    Raises Conflict when a lost node is called ready: its agent's next word says that it is.
    """
    chosen = Node.objects.filter(pk=node.pk)
    if state == NodeState.READY:
        chosen = chosen.exclude(state=NodeState.LOST)
    if not chosen.update(state=state):
        raise Conflict(_("This node is lost. It takes jobs again by itself once its agent is heard."))
    for attempt_id in Attempt.objects.filter(node=node, state__in=Attempt.ACTIVE).values_list("pk", flat=True):
        wake_node(node.name, attempt_id)
    wake_scheduler()


def assigned_attempts(node_id: uuid.UUID) -> list[uuid.UUID]:
    """Attempts that wait for this node's agent."""
    return list(Attempt.objects.filter(node_id=node_id, state=AttemptState.ASSIGNED).values_list("pk", flat=True))
