"""The application: routers, security and errors put together."""

from __future__ import annotations

from functools import cache

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

import perishield
from perishield.api import live_socket, playback_socket, problems, push_socket
from perishield.api.described import DescribedApp
from perishield.api.routes import (
    alarm_bulk,
    alarm_holds,
    alarm_life,
    alarms,
    api_keys,
    audit,
    bulk,
    camera_lists,
    cameras,
    channels,
    console,
    entry,
    escalation,
    evidence,
    exports,
    ground,
    groups,
    health,
    hls_live,
    holds,
    ledger,
    live_out,
    media,
    metrics,
    models,
    oidc,
    pictures,
    privacy,
    probe,
    profile,
    recorders,
    roles,
    rules,
    schedules,
    shadow,
    statistics,
    storage,
    system,
    tasks,
    tracks,
    uploads,
    users,
    video,
    whep,
)
from perishield.api.services import Services, served_by

_DESCRIPTION = """Perimeter security for camera sites. Times are ISO 8601 in UTC, coordinates run from 0 to 1 over the
picture, boxes are [x1, y1, x2, y2]. Errors are application/problem+json with a stable `code`. Log in at
`/api/auth/login` and send the token as `Authorization: Bearer ...`; links to media are signed and expire."""

PUBLIC = frozenset(
    {
        ("GET", "/api/setup"),
        ("POST", "/api/setup"),
        ("POST", "/api/auth/login"),
        ("POST", "/api/auth/refresh"),
        ("POST", "/api/auth/register"),
        ("POST", "/api/auth/password"),
        ("GET", "/api/auth/ways"),
        ("GET", "/api/auth/oidc/start"),
        ("GET", "/api/auth/oidc/callback"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/openapi.json"),
        ("HEAD", "/openapi.json"),
        ("GET", "/{path:path}"),
        ("HEAD", "/{path:path}"),
    }
)
"""What needs no login: everything else does, and a test walks the routes to make sure."""


def create_app(services: Services) -> ASGIApp:
    """The application over these services; wrap it in `guard.Guard` to serve it."""
    app: ASGIApp = routed()
    if services.people.plan.cors_origins:
        # No credentials: cookies are for this node's own pages, others bring a token.
        app = CORSMiddleware(
            app,
            allow_origins=services.people.plan.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-Match", "If-None-Match", "X-Request-ID"],
            expose_headers=["ETag", "Location", "Retry-After", "X-Request-ID"],
            max_age=600,
        )
    return served_by(services, app)


@cache
def routed() -> FastAPI:
    """All routes. Made once for a process: FastAPI works out what each takes and gives anew at every inclusion."""
    app = DescribedApp(
        title="PyPeriShield",
        version=perishield.__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.install(app)
    api = APIRouter(prefix="/api")
    # Each route asks for the action that it needs (security.may); a test walks them all.
    api.include_router(entry.router)
    api.include_router(oidc.router)
    api.include_router(profile.router)
    api.include_router(users.router)
    api.include_router(roles.router)
    api.include_router(groups.router)
    api.include_router(api_keys.router)
    api.include_router(audit.router)
    api.include_router(bulk.router)
    api.include_router(camera_lists.router)
    api.include_router(cameras.router)
    api.include_router(ground.router)
    api.include_router(rules.router)
    api.include_router(schedules.router)
    api.include_router(tasks.router)
    api.include_router(alarm_bulk.router)
    api.include_router(alarms.router)
    api.include_router(alarm_life.router)
    api.include_router(escalation.router)
    api.include_router(statistics.router)
    api.include_router(ledger.router)
    api.include_router(holds.router)
    api.include_router(system.router)
    api.include_router(health.router)
    api.include_router(storage.router)
    api.include_router(models.router)
    api.include_router(tracks.router)
    api.include_router(evidence.router)
    api.include_router(evidence.files)
    api.include_router(alarm_holds.router)
    api.include_router(privacy.router)
    api.include_router(channels.router)
    api.include_router(channels.deliveries)
    api.include_router(recorders.router)
    api.include_router(uploads.router)
    api.include_router(video.router)
    api.include_router(video.pictures)
    api.include_router(pictures.router)
    api.include_router(exports.router)
    api.include_router(shadow.router)
    api.include_router(shadow.images)
    api.include_router(exports.files)
    api.include_router(pictures.images)
    api.include_router(probe.router)
    api.include_router(live_out.router)
    api.include_router(whep.router)
    app.include_router(api)
    app.include_router(hls_live.router)
    app.include_router(media.router)
    app.include_router(system.health)
    app.include_router(metrics.router)
    app.include_router(push_socket.router)
    app.include_router(live_socket.router)
    app.include_router(playback_socket.router)
    app.include_router(console.router)
    return app
