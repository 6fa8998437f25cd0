"""Which addresses AIFS may call on behalf of somebody who named a URL. No Django: the gateway asks too.

Everything that is not the open internet is refused (loopback, private, link-local, written in any notation), except the
`host:port` pairs an operator lists; metadata services of clouds stay closed whatever is listed.
"""

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from workers.errors import InvalidInput
from workers.words import marked as _

METADATA = {ipaddress.ip_address(text) for text in ("169.254.169.254", "100.100.100.200", "fd00:ec2::254")}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def refuse_private_url(url: str, allowed: Collection[str] = ()) -> None:
    """Raises InvalidInput unless the URL is http(s) and every address of its host may be called.

    allowed: `host:port` pairs that may be private. Whoever connects later checks the address it really gets, too.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise InvalidInput(_("This is not a web address."), field="url") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise InvalidInput(_("The address must begin with http:// or https:// and name a host."), field="url")
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise InvalidInput(_("The host %(host)s cannot be found."), host=parts.hostname, field="url") from None
    for entry in found:
        refuse_private_address(str(entry[4][0]), parts.hostname, port, allowed)


def refuse_private_address(address: str, host: str, port: int, allowed: Collection[str]) -> None:
    """Raises InvalidInput unless this address of the host may be called."""
    ip = _plain(ipaddress.ip_address(address.partition("%")[0]))
    listed = f"{host}:{port}" in allowed or f"[{host}]:{port}" in allowed
    if ip in METADATA or ip.is_link_local or not (listed or (ip.is_global and not ip.is_multicast)):
        raise InvalidInput(
            _("The address of %(host)s is not a public one."),
            hint=_("An operator can allow it by listing %(pair)s in AIFS_PRIVATE_HOSTS."),
            code="private_address",
            host=host,
            pair=f"{host}:{port}",
            field="url",
        )


def _plain(ip: Address) -> Address:
    """The IPv4 address inside an IPv6 one (mapped, 6to4, NAT64), which is where a packet would go."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped or ip.sixtofour:
            return ip.ipv4_mapped or ip.sixtofour  # type: ignore[return-value]
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip
