"""The application: routers, security and errors put together."""

from __future__ import annotations

from fastapi import APIRouter, Depends, FastAPI

import perishield
from perishield.api import live_socket, playback_socket, problems, push_socket
from perishield.api.routes import (
    alarms,
    cameras,
    console,
    entry,
    exports,
    hls_live,
    holds,
    ledger,
    live_out,
    media,
    metrics,
    pictures,
    probe,
    rules,
    storage,
    system,
    uploads,
    video,
    whep,
)
from perishield.api.security import require_user
from perishield.api.services import Services

_DESCRIPTION = """Perimeter security for camera sites. Times are ISO 8601 in UTC, coordinates run from 0 to 1 over the
picture, boxes are [x1, y1, x2, y2]. Errors are application/problem+json with a stable `code`. Log in at
`/api/auth/login` and send the token as `Authorization: Bearer ...`; links to media are signed and expire."""

PUBLIC = frozenset(
    {
        ("GET", "/api/setup"),
        ("POST", "/api/setup"),
        ("POST", "/api/auth/login"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/openapi.json"),
        ("HEAD", "/openapi.json"),
        ("GET", "/{path:path}"),
        ("HEAD", "/{path:path}"),
    }
)
"""What needs no login: everything else does, and a test walks the routes to make sure."""


def create_app(services: Services) -> FastAPI:
    """The app over these services; wrap it in `guard.Guard` to serve it."""
    app = FastAPI(
        title="PyPeriShield",
        version=perishield.__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    problems.install(app)
    api = APIRouter(prefix="/api")
    members = [Depends(require_user)]
    api.include_router(entry.router)
    for router in (cameras.router, rules.router, alarms.router, ledger.router, holds.router, system.router):
        api.include_router(router, dependencies=members)
    api.include_router(storage.router, dependencies=members)
    api.include_router(uploads.router)
    api.include_router(video.router)
    api.include_router(video.pictures)
    api.include_router(pictures.router)
    api.include_router(exports.router)
    api.include_router(exports.files)
    api.include_router(pictures.images)
    api.include_router(probe.router)
    api.include_router(live_out.router, dependencies=members)
    api.include_router(whep.router)
    app.include_router(api)
    app.include_router(hls_live.router)
    app.include_router(media.router)
    app.include_router(system.health)
    app.include_router(metrics.router, dependencies=members)
    app.include_router(push_socket.router)
    app.include_router(live_socket.router)
    app.include_router(playback_socket.router)
    app.include_router(console.router)
    return app
