"""How values look on a page: numbers with units, states, marked texts, JSON. No rules and no queries."""

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from django import template
from django.conf import settings
from django.template.context import Context
from django.template.loader_tags import BLOCK_CONTEXT_KEY
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from apps.core.errors import translate

register = template.Library()


class Look(NamedTuple):
    """How a state is shown: never by colour alone."""

    tone: str
    icon: str
    label: Any
    busy: bool = False


LOOKS: dict[str, Look] = {
    "queued": Look("", "hourglass", _("Queued")),
    "scheduled": Look("info", "clock", _("Scheduled")),
    "assigned": Look("info", "clock", _("Assigned")),
    "preparing": Look("info", "loader-circle", _("Preparing"), busy=True),
    "starting": Look("info", "loader-circle", _("Starting"), busy=True),
    "running": Look("info", "loader-circle", _("Running"), busy=True),
    "finishing": Look("info", "loader-circle", _("Finishing"), busy=True),
    "paused": Look("warn", "circle-pause", _("Paused")),
    "succeeded": Look("good", "circle-check", _("Succeeded")),
    "ready": Look("good", "circle-check", _("Ready")),
    "published": Look("good", "circle-check", _("Published")),
    "enabled": Look("good", "circle-check", _("Enabled")),
    "active": Look("good", "circle-check", _("Active")),
    "ok": Look("good", "circle-check", _("OK")),
    "degraded": Look("warn", "triangle-alert", _("Degraded")),
    "cordoned": Look("warn", "ban", _("Cordoned")),
    "draining": Look("warn", "hourglass", _("Draining")),
    "expired": Look("warn", "clock", _("Expired")),
    "failed": Look("bad", "circle-x", _("Failed")),
    "lost": Look("bad", "wifi-off", _("Lost")),
    "cancelled": Look("", "ban", _("Cancelled")),
    "stopped": Look("", "circle-stop", _("Stopped")),
    "disabled": Look("", "circle-pause", _("Disabled")),
    "revoked": Look("", "ban", _("Revoked")),
    "rated": Look("", "message-square-text", ""),
    "bit_equal": Look("good", "circle-check", ""),
    "within_noise": Look("good", "circle-check", ""),
    "diverged": Look("bad", "circle-x", ""),
    "unknown": Look("warn", "circle-help", ""),
    "draft": Look("", "pencil", _("Draft")),
}
UNKNOWN = Look("", "circle", "")


@register.filter
def look(state: object) -> Look:
    """Tone, icon and word of a state."""
    return LOOKS.get(str(state), UNKNOWN)


@register.simple_tag(takes_context=True)
def again(context: Context, name: str) -> str:
    """What a block of this page holds, a second time: the title stands in the window and on the page."""
    blocks = context.render_context.get(BLOCK_CONTEXT_KEY)
    block = blocks.get_block(name) if blocks else None
    return block.render(context) if block else ""


@register.filter
def marked(text: object, data: Mapping[str, Any] | None = None) -> str:
    """A text that `workers` marked, in the reader's language, with its data filled in."""
    return translate(str(text or ""), dict(data) if data else None)


@register.filter
def reason(value: Mapping[str, Any] | None) -> str:
    """The sentence of a reason, {"message", "data"}."""
    return marked(value.get("message"), value.get("data")) if value else ""


@register.filter
def duration(value: float | timedelta | None) -> str:
    """Seconds (or a timedelta) in words: 42 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    if value is None or value == "":
        return "—"
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 1:
        return _filled(gettext("%(count)s ms"), number_format(round(seconds * 1000)))
    if seconds < 10:
        return _filled(gettext("%(count)s s"), number_format(round(seconds, 1)))
    seconds = round(seconds)
    parts = [
        (seconds // 86_400, gettext("%(count)s d")),
        (seconds % 86_400 // 3600, gettext("%(count)s h")),
        (seconds % 3600 // 60, gettext("%(count)s min")),
        (seconds % 60, gettext("%(count)s s")),
    ]
    first = next((index for index, (count, _unit) in enumerate(parts) if count), len(parts) - 1)
    shown = [(count, unit) for count, unit in parts[first : first + 2] if count or len(parts) - 1 == first]
    return " ".join(_filled(unit, str(count)) for count, unit in shown)


def _filled(unit: str, count: str) -> str:
    return unit % {"count": count}


@register.filter
def size(value: float | None) -> str:
    """Bytes with a binary unit: 0 B, 512 KiB, 1.4 GiB."""
    if value is None or value == "":
        return "—"
    amount = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(amount) < 1024:
            break
        amount /= 1024
    else:
        unit = "TiB"
    digits = 0 if unit == "B" or amount >= 100 else 1
    return f"{number_format(round(amount, digits), decimal_pos=digits, force_grouping=True)} {unit}"


@register.filter
def mib(value: float | None) -> str:
    """MiB with the unit that suits: 512 MiB, 24.1 GiB."""
    return size(None if value is None or value == "" else float(value) * 2**20)


@register.filter
def compact(value: float | None) -> str:
    """A large number in few letters, as the field writes it: 950, 49.2K, 135M, 7.2B."""
    if value is None or value == "":
        return "—"
    amount = float(value)
    for unit in ("", "K", "M", "B"):
        if abs(amount) < 999.5:
            break
        amount /= 1000
    else:
        unit = "T"
    digits = 0 if not unit or amount >= 100 else 1
    return f"{number_format(round(amount, digits), decimal_pos=digits)}{unit}"


@register.filter
def percent(value: float | None, digits: int = 1) -> str:
    """A share between 0 and 1 as a percentage."""
    return (
        "—"
        if value is None or value == ""
        else f"{number_format(round(float(value) * 100, digits), decimal_pos=digits)} %"
    )


@register.filter
def fixed(value: float | None, digits: int = 3) -> str:
    """A measurement with so many digits, or a dash."""
    return "—" if value is None or value == "" else number_format(round(float(value), digits), decimal_pos=digits)


@register.filter
def measure(value: float | None) -> str:
    """A measurement with about four meaningful digits: 2.1, 0.0123, 2.00e-4. frontend/words.ts writes them the same."""
    if value is None or value == "":
        return "—"
    amount = float(value)
    if not math.isfinite(amount):
        return "—"
    if amount and not 1e-3 <= abs(amount) < 1e7:
        mantissa, exponent = f"{amount:.2e}".split("e")
        return f"{number_format(mantissa)}e{int(exponent):+d}"
    digits = 3 - math.floor(math.log10(abs(amount))) if amount else 0
    text = f"{round(amount, digits):.{max(0, digits)}f}"
    return number_format(text.rstrip("0").rstrip(".") if "." in text else text, force_grouping=True)


@register.filter
def amount(value: float | None) -> str:
    """A sum of money: 1,234.50; below one with two meaningful digits: 0.0012. frontend/words.ts writes the same."""
    if value is None or value == "":
        return "—"
    digits = 2 if not value or abs(value) >= 1 else max(2, 1 - math.floor(math.log10(abs(value))))
    return number_format(f"{value:.{digits}f}", force_grouping=True)


@register.filter
def money(value: float | None) -> str:
    """The same with the currency of the settings."""
    return "—" if value is None or value == "" else f"{amount(value)} {settings.AIFS_CURRENCY}"


@register.filter
def pretty(value: object) -> str:
    """JSON to be read: indented, Chinese as it is."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


@register.filter
def lookup(value: Mapping[str, Any], key: str) -> Any:
    """Value of a key that a template cannot name."""
    return value.get(key) if value else None


@register.filter
def rows(value: int | None) -> str:
    """So many rows, in words."""
    if value is None:
        return "—"
    return ngettext("%(count)s row", "%(count)s rows", value) % {"count": number_format(value, force_grouping=True)}
