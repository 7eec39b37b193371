"""`perishield models`: the catalogue of pinned networks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING

from perishield.cli.output import console, print_json, print_table, progress
from perishield.settings import load

if TYPE_CHECKING:
    from perishield.vision.model_registry import ModelRegistry
    from perishield.vision.model_store import ModelRow


def show(config: Path | None, *, as_json: bool) -> None:
    from perishield.vision.model_store import list_models

    _print(list_models(load(config).models_dir), as_json)


def pull(name: str, base_url: str, config: Path | None) -> None:
    from perishield.vision.model_store import pull as fetch

    with progress(name) as advance:
        path = fetch(
            name,
            load(config).models_dir,
            base_url=base_url or None,
            progress=lambda got, size: advance(got / size if size else 0.0),
        )
    console.print(f"{name} is installed as {path}; a running node uses it after its next start.", highlight=False)


def verify(config: Path | None, *, as_json: bool) -> None:
    """Print every model's state; exit code 1 when an installed one is damaged."""
    from perishield.vision.model_store import verify as check

    rows = check(load(config).models_dir)
    _print(rows, as_json)
    damaged = [row.name for row in rows if row.state == "damaged"]
    if damaged and not as_json:
        console.print(f"Damaged: {', '.join(damaged)}; `perishield models pull NAME` fetches it anew.")
    sys.exit(1 if damaged else 0)


def add(file: Path, card: Path | None, name: str, version: str, config: Path | None) -> None:
    row = _registry(config).add(file, who=getuser(), name=name, version=version, card=card)
    console.print(f"{row.id} passed its test; `perishield models enable {row.id}` sees with it.", highlight=False)


def enable(model: str, config: Path | None) -> None:
    row = _registry(config).enable(model, who=getuser())
    console.print(f"{row.id} is enabled; a running node with detector = auto takes it up now.", highlight=False)


def rollback(config: Path | None) -> None:
    current = _registry(config).roll_back(who=getuser())
    console.print(f"Enabled now: {current or 'none; the catalogue decides'}.", highlight=False)


def remove(model: str, config: Path | None) -> None:
    _registry(config).remove(model, who=getuser())
    console.print(f"{model} is removed.", highlight=False)


def detail(model: str, config: Path | None, *, as_json: bool) -> None:
    registry = _registry(config)
    if not model:
        changes = registry.history()
        if as_json:
            print_json([asdict(change) for change in changes])
            return
        rows = [
            (
                datetime.fromtimestamp(change.wall, UTC).isoformat(timespec="seconds"),
                change.action,
                change.model,
                change.who,
            )
            for change in changes
        ]
        print_table(("when", "what", "model", "who"), rows)
        return
    found = asdict(registry.find(model))
    if as_json:
        print_json(found)
    else:
        print_table(("key", "value"), [(key, str(value)) for key, value in found.items()])


def test(file: Path, *, as_json: bool) -> None:
    from perishield.vision.self_test import try_apart

    found = asdict(try_apart(file))
    if as_json:
        print_json(found)
    else:
        print_table(("key", "value"), [(key, str(value)) for key, value in found.items()])


def _registry(config: Path | None) -> ModelRegistry:
    from perishield.vision.model_registry import ModelRegistry

    return ModelRegistry(load(config).models_dir)


def _print(rows: Sequence[ModelRow], as_json: bool) -> None:
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_table(
        ("name", "state", "kB", "licence", "decoder"),
        [
            (
                row.name,
                row.state,
                row.size // 1000,
                row.known.licence if row.known else "unknown",
                row.known.decoder if row.known else "recognised at load",
            )
            for row in rows
        ],
    )
