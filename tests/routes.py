"""What FastAPI works out about each route, once for all applications of a process.

It takes half a second of every test that asks an application of its own, and each has the same
routes. `create_app` includes them under the same prefix, whatever the settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.routing import _IncludedRouter

work_out = _IncludedRouter._build_effective_context


@contextmanager
def worked_out_once() -> Iterator[None]:
    """Have applications share it."""
    known: dict[tuple[int, str], tuple[Any, Any]] = {}  # with the route, or its id were free again

    def recall(self: _IncludedRouter, route: Any) -> Any:
        key = id(route), self.include_context.prefix
        if key not in known:
            known[key] = route, work_out(self, route)
        return known[key][1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_IncludedRouter, "_build_effective_context", recall)
        yield
