"""`perishield doctor`: what is wrong with this machine."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from perishield.cli.output import print_json, print_table
from perishield.model.errors import PeriShieldError
from perishield.roles import node
from perishield.settings import Settings, load


@dataclass(frozen=True, slots=True)
class Finding:
    """`state`: ok, note (works, could be better) or bad."""

    what: str
    state: str
    says: str


def run(config: Path | None, *, as_json: bool) -> None:
    """Print the findings; exit code 1 when one is bad."""
    findings = machine(config)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_table(("what", "state", "says"), [(item.what, item.state, item.says) for item in findings])
    sys.exit(1 if any(finding.state == "bad" for finding in findings) else 0)


def machine(config: Path | None) -> list[Finding]:
    """Look at settings, data folder, disk, ports, models and the console."""
    version = ".".join(map(str, sys.version_info[:3]))
    findings = [Finding("python", "ok", version)]
    try:
        settings = load(config)
    except PeriShieldError as error:
        return [*findings, Finding("settings", "bad", str(error))]
    findings.append(Finding("settings", "ok", f"data folder {settings.data.dir}"))
    findings += [_data(settings), _disk(settings), _port(settings), _models(settings), _console()]
    cores = os.cpu_count() or 1
    findings.append(Finding("processor", "ok" if cores > 1 else "note", f"{cores} cores"))
    return findings


def _data(settings: Settings) -> Finding:
    """Without making the folder: looking must not change anything."""
    folder = settings.data.dir.absolute()
    place = next(place for place in (folder, *folder.parents) if place.exists())
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return Finding("data folder", "ok", "writable" if place == folder else f"will be made in {place}")
    return Finding("data folder", "bad", f"{place} cannot be written; choose another by [data] dir")


def _disk(settings: Settings) -> Finding:
    place = settings.data.dir if settings.data.dir.exists() else Path()
    free = shutil.disk_usage(place).free // (1024 * 1024)
    least = settings.ingest.min_free_mib
    if free < least:
        return Finding("disk", "bad", f"{free} MiB free, below min_free_mib = {least}: nothing would be recorded")
    return Finding("disk", "ok" if free > 4 * least else "note", f"{free} MiB free")


def _port(settings: Settings) -> Finding:
    try:
        node.claim_port(settings.server.host, settings.server.port, "[server] port")
    except PeriShieldError as error:
        return Finding("port", "note", f"{error} (a running node of yours is fine)")
    return Finding("port", "ok", f"{settings.server.host}:{settings.server.port} is free")


def _models(settings: Settings) -> Finding:
    from perishield.vision.model_store import list_models

    installed = [model.name for model in list_models(settings.models_dir) if model.state == "installed"]
    if installed:
        return Finding("models", "ok", ", ".join(installed))
    return Finding("models", "note", "none installed, so movement is not classified: `perishield models pull`")


def _console() -> Finding:
    built = (Path(__file__).parents[1] / "static" / "index.html").exists()
    return Finding("console", "ok" if built else "bad", "built" if built else "not built: `make setup` builds it")
