"""`perishield recordings`: the index made again from the files, and whether the files are what they claim."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path

import typer

from perishield.cli.output import print_figures, print_json, print_table, progress
from perishield.cli.times import moment
from perishield.model.errors import ConfigError
from perishield.settings import Settings, load


def reindex(*, data: Path | None, config: Path | None, as_json: bool) -> None:
    from perishield.recording.reindex import Reindexed
    from perishield.recording.reindex import reindex as bring_in_line
    from perishield.store.database import Database

    settings = load(config)
    media = _media(settings, data)

    async def work() -> Reindexed:
        database = await Database.open(_database_url(settings, data))
        try:
            with progress("reindex") as advance:
                return await bring_in_line(media, database, advance)
        finally:
            await database.close()

    done = asdict(asyncio.run(work()))
    if as_json:
        print_json(done)
    else:
        print_figures(done)


def verify(
    camera: str, start: str, end: str, *, deep: bool, data: Path | None, config: Path | None, as_json: bool
) -> None:
    from perishield.recording.verify import Verdict
    from perishield.recording.verify import verify as check
    from perishield.store.database import Database

    settings = load(config)
    media = _media(settings, data)
    first = moment(start, "--from") if start else 0.0
    last = moment(end, "--to") if end else float("inf")
    url = _database_url(settings, data)

    async def work() -> Verdict:
        # Looking must not make a database where there is none.
        there = bool(settings.database.url and data is None) or (_folder(settings, data) / "perishield.db").is_file()
        database = await Database.open(url) if there else None
        try:
            with progress("verify") as advance:
                return await check(media, database, camera=camera, start=first, end=last, deep=deep, progress=advance)
        finally:
            if database is not None:
                await database.close()

    verdict = asyncio.run(work())
    if as_json:
        print_json({**asdict(verdict), "deep": deep})
    else:
        if verdict.findings:
            print_table(("file", "finding", "what"), [[one.path, one.kind, one.message] for one in verdict.findings])
        index = "" if verdict.indexed else "; there is no index to compare with"
        typer.echo(f"{verdict.segments} segments, {verdict.bytes} bytes, {len(verdict.findings)} findings{index}")
    if verdict.findings:
        raise typer.Exit(1)


def _folder(settings: Settings, data: Path | None) -> Path:
    return data or settings.data.dir


def _media(settings: Settings, data: Path | None) -> Path:
    media = data / "media" if data else settings.media_dir
    if not media.is_dir():
        raise ConfigError(f"{media}: there is no such folder; name the data folder with --data")
    return media


def _database_url(settings: Settings, data: Path | None) -> str:
    from perishield.store.database import sqlite_url

    if settings.database.url and data is None:
        return settings.database.url
    return sqlite_url(_folder(settings, data) / "perishield.db")
