"""`perishield database`, and how commands get at the database that a node has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import typer

from perishield.cli.output import print_json
from perishield.model.errors import ConfigError
from perishield.settings import load
from perishield.store.alarm_sums import recount, wrong_sums
from perishield.store.database import Database, sqlite_url
from perishield.store.sealed_columns import Resealed
from perishield.store.sealing import KEY_FILE, Keyring

T = TypeVar("T")


def with_database(data: Path | None, config: Path | None, work: Callable[[Database], Awaitable[T]]) -> T:
    """Raises ConfigError where there is no database: a command must not make one by looking."""
    settings = load(config)
    url = settings.database.url if data is None else ""
    file = (data or settings.data.dir) / "perishield.db"
    if not url and not file.is_file():
        raise ConfigError(f"{file}: there is no such database; name the data folder with --data, or start a node first")

    async def run() -> T:
        keyring = Keyring(file.with_name(KEY_FILE), settings.database.keys())
        database = await Database.open(url or sqlite_url(file), keyring)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


def rotate_key(*, retire: bool, forget_lost: bool, data: Path | None, config: Path | None) -> None:
    """A new key first, so that a command that is cut off leaves only secrets that some key opens."""

    async def work(database: Database) -> tuple[str, Resealed, int]:
        name = await asyncio.to_thread(database.keyring.rotate)
        done = await database.seal(forget_lost=forget_lost)
        return name, done, await asyncio.to_thread(database.keyring.retire) if retire else 0

    name, done, retired = with_database(data, config, work)
    typer.echo(f"{done.sealed} secrets are sealed with key {name} now")
    for place in done.lost:
        typer.echo(f"{place}: could not be opened and is empty now; enter it anew")
    if retired:
        typer.echo(f"{retired} older keys are gone; older backups of the database need their own {KEY_FILE}")


def sums(*, check: bool, data: Path | None, config: Path | None, as_json: bool) -> None:
    """Exit code 1 where `check` finds sums that are wrong."""

    async def work(database: Database) -> tuple[int, int | None]:
        async with database.read() as session:
            wrong = await wrong_sums(session)
        if check:
            return wrong, None
        async with database.write() as session:
            return wrong, await recount(session)

    wrong, made = with_database(data, config, work)
    if as_json:
        print_json({"wrong": wrong, "made": made})
    else:
        typer.echo(f"{wrong} sums wrong" + ("" if made is None else f"; {made} made anew from the alarms"))
    if check and wrong:
        raise typer.Exit(1)
