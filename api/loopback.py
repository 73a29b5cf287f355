"""Which addresses only this machine can use."""

from __future__ import annotations

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address, or asks from it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
