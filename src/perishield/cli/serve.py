"""`perishield run`: settings, the demo site of an empty node, the address to open."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from perishield import log
from perishield.bus.site_file import read_site
from perishield.cli.output import notes, progress_many
from perishield.evaluation import demo_site
from perishield.evaluation.demo_site import DemoSite
from perishield.model.errors import ConfigError, PeriShieldError
from perishield.roles import node
from perishield.settings import ROLES, Settings, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the command line says over the settings; empty values leave them as they are."""

    config: Path | None = None
    roles: str = ""
    port: int | None = None
    host: str = ""
    data: Path | None = None
    demo: bool | None = None


def run(overrides: Overrides) -> None:
    settings = settle(overrides)
    log.configure(settings.log.level, settings.log.format)
    node.prepare(settings)
    with owned(settings.data.dir):
        plan = node.NodePlan(settings=settings, demo=demo_of(settings))
        sys.exit(asyncio.run(node.run(plan, on_serving=lambda: welcome(plan))))


def settle(overrides: Overrides) -> Settings:
    """The settings with the command line's word on them, and with real ports where 0 asked for a free one."""
    settings = load(overrides.config)
    changes: dict[str, dict[str, Any]] = {"server": {}, "node": {}, "data": {}, "demo": {}}
    if overrides.roles:
        roles = tuple(role.strip() for role in overrides.roles.split(",") if role.strip())
        unknown = [role for role in roles if role not in ROLES]
        if unknown or not roles:
            raise ConfigError(f"--roles: unknown role {', '.join(unknown) or '(none)'}; known are {', '.join(ROLES)}")
        changes["node"]["roles"] = roles
    if overrides.host:
        changes["server"]["host"] = overrides.host
    if overrides.data is not None:
        changes["data"]["dir"] = overrides.data
    if overrides.demo is not None:
        changes["demo"]["enabled"] = overrides.demo
    port = settings.server.port if overrides.port is None else overrides.port
    roles_now = changes["node"].get("roles", settings.node.roles)
    if "server" in roles_now:
        host = overrides.host or settings.server.host
        if port == 0:
            port = node.free_port()
        else:
            node.claim_port(host, port, "[server] port or --port")
    changes["server"]["port"] = port
    if (changes["demo"].get("enabled", settings.demo.enabled)) and settings.demo.rtsp_port == 0:
        changes["demo"]["rtsp_port"] = demo_port(changes["data"].get("dir", settings.data.dir))
    sections = {name: getattr(settings, name).model_copy(update=values) for name, values in changes.items()}
    return settings.model_copy(update=sections)


def demo_port(data_dir: Path) -> int:
    """The port at which the site of `data_dir` expects the demo's cameras, else a free one."""
    site = read_site(data_dir / "site.json")
    ours = set(demo_site.camera_ids())
    ports = [urlsplit(camera.url).port for camera in site.cameras if camera.id in ours] if site else []
    return next((port for port in ports if port), 0) or node.free_port()


@contextmanager
def owned(data_dir: Path) -> Iterator[None]:
    """Hold the data folder for this node alone. Raises ConfigError while another one runs in it."""
    descriptor = os.open(data_dir / "run" / "node.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                f"data folder {data_dir}: another node runs in it; stop that one or choose another by [data] dir"
            ) from None
        yield
    finally:
        os.close(descriptor)


def wants_demo(settings: Settings) -> bool:
    """True for a node that does everything and has no camera but the demo's."""
    if not settings.demo.enabled or set(settings.node.roles) != set(ROLES):
        return False
    site = read_site(settings.data.dir / "site.json")
    if site is None or not site.cameras:
        return True
    ours = set(demo_site.camera_ids())
    return any(camera.id in ours and camera.url.startswith("rtsp://127.0.0.1:") for camera in site.cameras)


def demo_of(settings: Settings) -> DemoSite | None:
    """Render the demo's clips where needed; None for a node with cameras of its own, or where it cannot be had."""
    if not wants_demo(settings):
        return None
    node.claim_port("127.0.0.1", settings.demo.rtsp_port, "[demo] rtsp_port")
    folder = demo_site.clip_folder(settings.data.dir)
    names = demo_site.camera_ids()
    if not demo_site.rendered(folder):
        notes.print("Rendering the demo site (once, about a minute)...")
    with progress_many(names) as bars:
        return demo_site.build(folder, settings.demo.rtsp_port, dict(zip(names, bars, strict=True)))


def welcome(plan: node.NodePlan) -> None:
    """Say where to look."""
    if "server" not in plan.settings.node.roles:
        notes.print(f"perishield serves as {', '.join(plan.settings.node.roles)}. Ctrl-C stops it.")
        return
    link = plan.settings.data.dir / "setup_link.txt"
    notes.print()
    notes.print(f"  PyPeriShield is ready: {plan.address}", style="bold green", highlight=False)
    try:
        notes.print(f"  First start: create the administrator at {link.read_text().strip()}", highlight=False)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise PeriShieldError(f"{link}: {error.strerror}") from error
    if plan.demo is not None:
        notes.print("  It shows the demo site: two rendered cameras, one climb or more a minute.", highlight=False)
    notes.print("  Ctrl-C stops it.", highlight=False)
    notes.print()
