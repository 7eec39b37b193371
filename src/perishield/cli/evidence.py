"""`perishield evidence`: the site's key, and whether stored evidence is still what it was."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from perishield.alarms.site_key import PUBLIC_FOLDER, SiteKeys
from perishield.cli.output import print_json, print_table
from perishield.model.errors import ConfigError
from perishield.settings import Settings, load


def show_key(*, data: Path | None, config: Path | None, as_json: bool, out: Path | None) -> None:
    keys = SiteKeys(_folder(load(config), data)).public_keys()
    if out is not None:
        try:
            out.write_bytes(keys[0].pem)
        except OSError as error:
            raise ConfigError(f"{out}: {error.strerror}") from error
    if as_json:
        print_json(
            {
                "id": keys[0].id,
                "public_key": keys[0].pem.decode(),
                "older": [{"id": key.id, "public_key": key.pem.decode()} for key in keys[1:]],
            }
        )
    elif out is None:
        typer.echo(keys[0].pem.decode(), nl=False)
    typer.echo(f"key {keys[0].id}; {len(keys) - 1} older", err=True)


def rotate_key(*, data: Path | None, config: Path | None) -> None:
    folder = _folder(load(config), data)
    keys = SiteKeys(folder)
    before = keys.current().public.id
    after = keys.rotate().public.id
    typer.echo(f"New archives are signed by key {after}.")
    typer.echo(f"What {before} signed is verified with {folder / PUBLIC_FOLDER / before}.pem.")


def check(*, data: Path | None, config: Path | None, as_json: bool) -> None:
    """Exit code 1 where something is not what it was."""
    from perishield.alarms.stored_check import Report, check_all
    from perishield.store.database import Database, sqlite_url

    settings = load(config)
    folder = _folder(settings, data)
    media = folder / "media" if data else settings.media_dir
    own = not (settings.database.url and data is None)
    if own and not (folder / "perishield.db").is_file():
        raise ConfigError(f"{folder}: there is no database; name the data folder with --data")

    async def work() -> Report:
        database = await Database.open(sqlite_url(folder / "perishield.db") if own else settings.database.url)
        try:
            return await check_all(database, media, SiteKeys(folder))
        finally:
            await database.close()

    report = asyncio.run(work())
    bad = report.bad or []
    if as_json:
        print_json(
            {
                "intact": not bad and not report.chain,
                "files": report.files,
                "bytes": report.bytes,
                "records": report.links,
                "chain": report.chain,
                "bad": [
                    {
                        "alarm": one.evidence.alarm,
                        "kind": one.evidence.kind.value,
                        "finding": one.finding.value,
                        "message": one.message,
                    }
                    for one in bad
                ],
            }
        )
    else:
        if bad:
            rows = [[one.evidence.alarm, one.evidence.kind.value, one.finding.value, one.message] for one in bad]
            print_table(("alarm", "kind", "finding", "what"), rows)
        typer.echo(f"{report.files} files, {report.bytes} bytes: {len(bad)} are not what was taken in.")
        typer.echo(f"{report.links} records: {report.chain or 'chained without a gap'}.")
    if bad or report.chain:
        raise typer.Exit(1)


def _folder(settings: Settings, data: Path | None) -> Path:
    folder = data or settings.data.dir
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder; name the data folder with --data")
    return folder
