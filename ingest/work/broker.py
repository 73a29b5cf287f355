"""Where messages go: `LAWFUL_BROKER_URL`, as Celery and as the counter of requests want it."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from limits.storage import StorageTypes, storage_from_string

from attribution.errors import BadInput

SOCKET = "redis+socket"
SENTINEL = "redis+sentinel"
SCHEMES = ("redis", "rediss", SOCKET, SENTINEL)
SENTINEL_PORT = 26379
CERTIFICATES = {"ssl_cert_reqs": "required"}  # Celery has no default; None would look at none


def celery_options(url: str) -> dict[str, Any]:
    """Return the settings of Celery for a broker that gives results back too.

    Raises BadInput for a broker that is no Redis: others give the messages of dead workers back in
    their own ways, or never.
    """
    parts = _split(url)
    if parts.scheme == SENTINEL:
        return _behind_sentinels(parts)
    options: dict[str, Any] = {"broker_url": url, "result_backend": url}
    if parts.scheme == "rediss":
        options |= {"broker_use_ssl": CERTIFICATES, "redis_backend_use_ssl": CERTIFICATES}
    return options


def counter(url: str) -> StorageTypes:
    """Return the same place as what `limits` counts in; raises BadInput like `celery_options`."""
    parts = _split(url)
    if parts.scheme == SENTINEL:  # whose login `limits` takes from the address as it stands there
        return storage_from_string(url, **_login(parts))
    return storage_from_string(url.replace(SOCKET, "redis+unix", 1))


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if parts.scheme not in SCHEMES:
        # The text itself may hold a password, so it is not repeated.
        raise BadInput(
            "LAWFUL_BROKER_URL cannot be used; give redis://:PASSWORD@HOST:6379/0, rediss:// for "
            "TLS, or redis+sentinel://:PASSWORD@HOST:26379,HOST:26379/SERVICE"
        )
    return parts


def _behind_sentinels(parts: SplitResult) -> dict[str, Any]:
    """Return the settings for the server that the Sentinels name at the time.

    They are asked with the password of the servers, as `limits` asks them.
    """
    secret, _, hosts = parts.netloc.rpartition("@")
    service = parts.path.strip("/")
    if not service or not all(hosts.split(",")):
        raise BadInput(
            "LAWFUL_BROKER_URL names Sentinels without a service or a host; give "
            "redis+sentinel://:PASSWORD@HOST:26379,HOST:26379/SERVICE"
        )
    asked = {"master_name": service, "sentinel_kwargs": _login(parts)}
    at = f"{secret}@" if secret else ""
    urls = ";".join(
        f"sentinel://{at}{host if ':' in host else f'{host}:{SENTINEL_PORT}'}/0"
        for host in hosts.split(",")
    )
    return {
        "broker_url": urls,
        "broker_transport_options": asked,
        "result_backend": urls,
        "result_backend_transport_options": asked,
    }


def _login(parts: SplitResult) -> dict[str, str]:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    login = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in login.items() if value}
