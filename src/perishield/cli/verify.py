"""`perishield verify`: is an archive of evidence what the site exported? Needs the file and the site's public key."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from perishield.cli.output import print_json
from perishield.model.errors import ConfigError

_ID = re.compile(r"[0-9a-f]{64}")
REJECTED, UNDECIDED = 1, 2
_LONGEST_KEY = 10_000


def run(file: Path, key: str, *, as_json: bool) -> None:
    """Exit code 0: accepted, 1: rejected, 2: the file or the key cannot be read."""
    from perishield.alarms.bundle_check import check_bundle
    from perishield.alarms.site_key import PublicKey, read_public

    try:
        wanted: PublicKey | str | None = None
        if key:
            wanted = key.lower() if _ID.fullmatch(key.lower()) else read_public(_start(Path(key)), key)
        verdict = check_bundle(file, wanted)
    except (OSError, ConfigError) as error:
        reason = error.message if isinstance(error, ConfigError) else f"{error.filename}: {error.strerror}"
        if as_json:
            print_json({"verdict": "undecided", "message": reason})
        else:
            typer.echo(f"UNDECIDED: {reason}", err=True)
        raise typer.Exit(UNDECIDED) from error
    word = "accepted" if verdict.accepted else "rejected"
    if as_json:
        manifest = verdict.manifest
        print_json(
            {
                "verdict": word,
                "signer": verdict.signer,
                "key": verdict.key,
                "site": manifest.site if manifest else "",
                "exported_at": manifest.exported_at if manifest else "",
                "exported_by": manifest.exported_by.name if manifest else "",
                "alarms": [alarm.id for alarm in manifest.alarms] if manifest else [],
                "items": [{"name": item.name, "ok": item.ok, "message": item.message} for item in verdict.items],
            }
        )
    else:
        for item in verdict.items:
            typer.echo(f"{'ok ' if item.ok else 'BAD'}  {_plain(item.name)}: {_plain(item.message)}")
        if verdict.manifest is not None:
            for alarm in verdict.manifest.alarms:
                for piece in alarm.evidence:
                    if piece.masked:
                        typer.echo(f"     {_plain(piece.file)}: a copy with private areas covered")
        typer.echo(f"{word.upper()}: {file}")
        if verdict.accepted and verdict.signer == "unproven":
            typer.echo(
                f"It was signed by the key that it brings itself, {verdict.key}. Anybody could have made that: compare "
                "it with the site's (`perishield evidence key`), or name it with --key."
            )
    if not verdict.accepted:
        raise typer.Exit(REJECTED)


def _start(path: Path) -> bytes:
    """A key, and not the whole of whatever else somebody names."""
    with path.open("rb") as file:
        return file.read(_LONGEST_KEY)


def _plain(text: str) -> str:
    """An archive's own words must not move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
