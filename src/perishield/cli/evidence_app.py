"""Commands about evidence and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perishield.cli.options import Config, Data, Json

evidence = typer.Typer(no_args_is_help=True, help="Evidence of alarms: the site's key, whether files are unchanged.")


@evidence.command("key")
def evidence_key(
    out: Annotated[Path | None, typer.Option(help="Write the public key to this file.")] = None,
    data: Data = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Print the public key that exported evidence is verified with."""
    from perishield.cli import evidence as command

    command.show_key(data=data, config=config, as_json=json, out=out)


@evidence.command("rotate-key")
def evidence_rotate_key(data: Data = None, config: Config = None) -> None:
    """Sign with a new key from now on; older public keys stay known. A server may run meanwhile."""
    from perishield.cli import evidence as command

    command.rotate_key(data=data, config=config)


@evidence.command("check")
def evidence_check(data: Data = None, config: Config = None, json: Json = False) -> None:
    """Read all stored evidence again and compare it with its hashes. Exit code 1: something is not what it was."""
    from perishield.cli import evidence as command

    command.check(data=data, config=config, as_json=json)


def verify(
    file: Annotated[Path, typer.Argument(help="An exported archive of evidence.")],
    key: Annotated[str, typer.Option(help="The site's public key: a PEM file, or its id (64 hex digits).")] = "",
    json: Json = False,
) -> None:
    """Check an archive of evidence, without a server. Exit code 0: accepted, 1: rejected, 2: cannot be read."""
    from perishield.cli import verify as command

    command.run(file, key, as_json=json)
