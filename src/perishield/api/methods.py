"""Which methods an address takes: what `Allow` says where another was tried (RFC 9110, section 15.5.6)."""

from __future__ import annotations

import re

from fastapi import FastAPI, Request
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

CONSOLE = "/{path:path}"
"""The route that answers whatever no other does."""


class Methods:
    """The addresses of an app and their methods."""

    def __init__(self, app: FastAPI) -> None:
        self._routes: list[tuple[re.Pattern[str], frozenset[str]]] = []
        for context in iter_route_contexts(app.routes):
            if context.path and context.path != CONSOLE:
                self._routes.append((compile_path(context.path)[0], frozenset(context.methods or ())))

    def of(self, path: str) -> list[str]:
        """In order; none where only the console answers. A route of just this path goes before those with names."""
        found: set[str] = set()
        exact: set[str] = set()
        for pattern, methods in self._routes:
            if pattern.match(path):
                (found if pattern.groups else exact).update(methods)
        return sorted(exact or found)


def allowed(request: Request) -> list[str]:
    """The methods of the address that this request asks for."""
    state = request.app.state
    if not hasattr(state, "methods"):
        state.methods = Methods(request.app)
    methods: Methods = state.methods
    return methods.of(request.scope["path"])
