"""`perishield models`: the catalogue of pinned networks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from perishield.cli.output import console, print_json, print_table, progress
from perishield.settings import load


def show(config: Path | None, *, as_json: bool) -> None:
    from perishield.vision.model_store import list_models

    found = [asdict(model) for model in list_models(load(config).models_dir)]
    if as_json:
        print_json(found)
    else:
        columns = list(found[0]) if found else ["name"]
        print_table(columns, [[model[column] for column in columns] for model in found])


def pull(name: str, base_url: str, config: Path | None) -> None:
    from perishield.vision.model_store import pull as fetch

    with progress(name) as advance:
        path = fetch(name, load(config).models_dir, base_url=base_url or None, progress=advance)
    console.print(f"{name} is installed as {path}; a running node uses it after its next start.", highlight=False)


def verify(config: Path | None, *, as_json: bool) -> None:
    from perishield.vision.model_store import verify as check

    raise NotImplementedError(check, config, as_json)
