"""`perishield database`: the commands and their options."""

from __future__ import annotations

from typing import Annotated

import typer

from perishield.cli.options import Config, Data, Json

database = typer.Typer(no_args_is_help=True, help="What the database keeps; a server may run meanwhile.")


@database.command("recount")
def recount(
    check: Annotated[bool, typer.Option("--check", help="Only compare. Exit code 1: some are wrong.")] = False,
    data: Data = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Make the sums that statistics read anew from the alarms."""
    from perishield.cli import databases as command

    command.sums(check=check, data=data, config=config, as_json=json)


@database.command("rotate-key")
def rotate_key(
    retire: Annotated[bool, typer.Option("--retire", help="Forget older keys; older backups need them.")] = False,
    forget_lost: Annotated[bool, typer.Option("--forget-lost", help="Empty what no key opens any more.")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Seal all secrets with a new key. Of keys in the settings, the first is the new one."""
    from perishield.cli import databases as command

    command.rotate_key(retire=retire, forget_lost=forget_lost, data=data, config=config)
