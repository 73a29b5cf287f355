"""The C2PA manifests embedded in an image, as a report that nothing in it can harm.

They are data of a stranger: parsed in a process of its own (`manifest_process`), without ever
fetching what they refer to, and of any shape, so that nothing is taken from a report but by `at`,
`listed` and `assertions`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from attribution.confined import output_of

PROCESS = Path(__file__).with_name("manifest_process.py")
PATIENCE_S = 60  # for a machine so busy that the process does not get its processor time
AT_ONCE = BoundedSemaphore(2)  # each may take as much memory as it is allowed
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "core": {
        "allowed_network_hosts": [],
        "decode_identity_assertions": False,  # they name addresses too
        "max_decompressed_manifest_size_in_mb": 16,
    },
}
PURPOSES = (  # of certificates that may sign claims; unless told c2pa knows the first alone
    "1.3.6.1.5.5.7.3.4",  # emailProtection
    "1.3.6.1.5.5.7.3.36",  # documentSigning
    "1.3.6.1.4.1.62558.2.1",  # c2pa-kp-claimSigning
)

Report = Mapping[str, Any]
"""What c2pa says: `manifests`, `active_manifest`, `validation_state`; or `error`, or `remote`."""


def read_manifests(data: bytes, trust_anchors: str = "", timestamp_roots: str = "") -> Report:
    """Return everything that is embedded in an image; never raises for what is in it.

    `trust_anchors` and `timestamp_roots` are PEM. Empty where nothing is embedded, `remote` where
    the file says that its manifest lies elsewhere, `error` where what is embedded cannot be read.
    """
    if b"jumb" not in data:  # the box that every manifest begins with
        return {"remote": True} if b"dcterms:provenance" in data else {}
    settings = json.dumps({**SETTINGS, **trusting(trust_anchors, timestamp_roots)})
    try:
        with AT_ONCE:
            given = b"%s\n%s" % (settings.encode(), data)
            report = json.loads(output_of(PROCESS, given=given, patience_s=PATIENCE_S))
    except (subprocess.SubprocessError, ValueError, RecursionError):
        return {"error": "they take more memory or time than they may"}
    return report if isinstance(report, dict) else {"error": "they say nothing"}


def trusting(trust_anchors: str, timestamp_roots: str) -> Mapping[str, Any]:
    """Return the settings of c2pa that trust these roots, PEM, for signers and for times."""
    trust: dict[str, Any] = {"trust_config": "\n".join(PURPOSES)}
    if trust_anchors:
        trust["user_anchors"] = trust_anchors
    if timestamp_roots:
        times = {"trust_kind": "tsa", "trust_uri": "times", "trust_anchors": timestamp_roots}
        trust["anchors"] = [times]
    return {"trust": trust}


def active_manifest(report: Report) -> Mapping[str, Any]:
    """Return the manifest that speaks for the image itself, not for what went into it."""
    return at(report, "manifests", str(report.get("active_manifest")))


def assertions(manifest: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield label and data of everything that a manifest asserts."""
    for one in listed(manifest, "assertions"):
        yield str(at(one).get("label")), at(one, "data")


def at(value: Any, *path: str) -> Mapping[str, Any]:
    """Return the mapping at a path, an empty one where something else stands."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def listed(value: Any, key: str) -> list[Any]:
    """Return the list at a key, an empty one where something else stands."""
    found = at(value).get(key)
    return found if isinstance(found, list) else []
