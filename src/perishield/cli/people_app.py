"""`perishield users` and `perishield audit`: the commands and their options."""

from __future__ import annotations

from typing import Annotated

import typer

from perishield.cli.options import Config, Data, Json

users = typer.Typer(no_args_is_help=True, help="Accounts on this node's own database; a server may run meanwhile.")
audit = typer.Typer(no_args_is_help=True, help="The log of who did what.")

Name = Annotated[str, typer.Argument(help="A user name.")]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@users.command("list")
def users_list(data: Data = None, config: Config = None, json: Json = False) -> None:
    """All accounts."""
    from perishield.cli import people as command

    command.show(data=data, config=config, as_json=json)


@users.command("add")
def users_add(
    name: Name,
    role: Annotated[str, typer.Option(help="A role's id or name.")] = "viewer",
    full_name: Annotated[str, typer.Option(help="Their full name.")] = "",
    password_stdin: Stdin = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Make an account; its password is asked for."""
    from perishield.cli import people as command

    command.add(name, role, full_name, from_stdin=password_stdin, data=data, config=config)


@users.command("password")
def users_password(name: Name, password_stdin: Stdin = False, data: Data = None, config: Config = None) -> None:
    """Set somebody's password; all their logins end."""
    from perishield.cli import people as command

    command.password(name, from_stdin=password_stdin, data=data, config=config)


@users.command("disable")
def users_disable(
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Let them in again.")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Keep somebody out; their logins end at once."""
    from perishield.cli import people as command

    command.disable(name, undo=undo, data=data, config=config)


@audit.command("verify")
def audit_verify(data: Data = None, config: Config = None, json: Json = False) -> None:
    """Whether anything was changed or taken out of the log. Exit code 1 where it was."""
    from perishield.cli import people as command

    command.verify(data=data, config=config, as_json=json)
