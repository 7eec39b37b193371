"""The console's built files. Whatever is no file is the console's own business, so it gets the start page."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse, HTMLResponse

from perishield.api.methods import allowed
from perishield.api.problems import ProblemError, method_refused
from perishield.api.security import Parts

router = APIRouter(include_in_schema=False)

_NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>PyPeriShield</title>
<h1>The console is not built</h1>
<p>The server runs and its API answers; only the pages are missing. Build them into the package with
<code>make setup</code>, or by <code>npm ci</code> and <code>npm run build</code> in the folder <code>web</code>,
then load this page again.</p>
</html>
"""
_NOT_PAGES = {"api", "ws", "media", "openapi.json"}
_FOREVER = {"cache-control": "public, max-age=31536000, immutable"}
_FRESH = {"cache-control": "no-cache"}


@router.api_route("/{path:path}", methods=["GET", "HEAD"])
async def page(path: str, parts: Parts, request: Request) -> Response:
    if path.partition("/")[0] in _NOT_PAGES:
        if methods := allowed(request):
            raise method_refused(request.method, methods)
        raise ProblemError(404, f"/{path}: there is no such address")
    found = await anyio.to_thread.run_sync(_file, parts.static, path)
    if found is not None:
        # Vite names what lies in `assets` by its content.
        return FileResponse(found, headers=_FOREVER if path.startswith("assets/") else _FRESH)
    if PurePosixPath(path).suffix:
        raise ProblemError(404, f"/{path}: there is no such file")
    index = await anyio.to_thread.run_sync(_file, parts.static, "index.html")
    if index is None:
        return HTMLResponse(_NOT_BUILT, 503, headers=_FRESH)
    return FileResponse(index, headers=_FRESH)


def _file(static: Path, path: str) -> Path | None:
    try:
        found = (static / path).resolve()
        return found if found.is_relative_to(static.resolve()) and found.is_file() else None
    except (OSError, ValueError):
        return None
