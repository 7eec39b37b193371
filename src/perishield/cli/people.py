"""`perishield users` and `perishield audit`, on the database itself: for who has the host, not for who has a login."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path

import typer
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.passwords import LONGEST, SHORTEST, Passwords
from perishield.cli.databases import with_database
from perishield.cli.output import print_json, print_table
from perishield.model.audit import AuditEntry
from perishield.model.errors import ConfigError
from perishield.model.people import ADMINISTRATOR
from perishield.store.accounts import (
    Account,
    account_named,
    add_account,
    list_accounts,
    other_administrators,
    replace_hash,
    update_account,
)
from perishield.store.audit import verify_audit
from perishield.store.chain import append_audit
from perishield.store.database import Database
from perishield.store.roles import get_role, role_named
from perishield.store.sessions import revoke


def show(*, data: Path | None, config: Path | None, as_json: bool) -> None:
    async def work(database: Database) -> list[Account]:
        async with database.read() as session:
            return (await list_accounts(session, limit=100_000, offset=0))[0]

    accounts = with_database(data, config, work)
    rows = [
        {
            "name": one.username,
            "full_name": one.full_name,
            "role": one.role,
            "disabled": one.disabled,
            "second_factor": one.totp_on,
            "last_login": datetime.fromtimestamp(one.last_login, UTC).isoformat() if one.last_login else None,
        }
        for one in accounts
    ]
    if as_json:
        print_json(rows)
    else:
        columns = ("name", "full_name", "role", "disabled", "second_factor", "last_login")
        print_table(columns, [[row[name] for name in columns] for row in rows])


def add(name: str, role: str, full_name: str, *, from_stdin: bool, data: Path | None, config: Path | None) -> None:
    if not name.strip() or len(name) > 64 or not name.isprintable():
        raise ConfigError("a user name has 1 to 64 characters that can be printed")

    async def work(database: Database) -> Account:
        hashed = await Passwords().hash(_password(from_stdin))
        try:
            async with database.write() as session:
                wanted = role if await get_role(session, role, lock=True) else await role_named(session, role)
                if wanted is None:
                    raise ConfigError(f"role {role!r}: there is none; built in are admin, operator, viewer")
                account = await add_account(session, name.strip(), hashed, wanted, full_name=full_name[:100])
                await append_audit(session, _entry("account.add", account, role=wanted))
                return account
        except IntegrityError as error:
            raise ConfigError(f"user name {name!r} is taken") from error

    account = with_database(data, config, work)
    typer.echo(f"{account.username} may log in as {account.role}.")


def password(name: str, *, from_stdin: bool, data: Path | None, config: Path | None) -> None:
    async def work(database: Database) -> None:
        hashed = await Passwords().hash(_password(from_stdin))
        async with database.write() as session:
            account = await _named(session, name)
            await replace_hash(session, account.id, hashed)
            await revoke(session, time.time(), account=account.id)
            await append_audit(session, _entry("password.set", account))

    with_database(data, config, work)
    typer.echo(f"The password of {name} is set; their logins end within seconds.")


def disable(name: str, *, undo: bool, data: Path | None, config: Path | None) -> None:
    async def work(database: Database) -> None:
        async with database.write() as session:
            account = await _named(session, name)
            if not undo and account.role == ADMINISTRATOR and not await other_administrators(session, account.id):
                raise ConfigError(f"{name} is the last administrator; make another one first")
            await update_account(session, replace(account, disabled=not undo))
            if not undo:
                await revoke(session, time.time(), account=account.id)
            await append_audit(session, _entry("account.change", account, disabled=not undo))

    with_database(data, config, work)
    typer.echo(f"{name} may {'log in again' if undo else 'not log in any more'}.")


def verify(*, data: Path | None, config: Path | None, as_json: bool) -> None:
    records, head, problem = with_database(data, config, verify_audit)
    if as_json:
        print_json({"intact": not problem, "records": records, "head": head, "problem": problem})
    elif problem:
        typer.echo(f"After {records} records that hold: {problem}.")
    else:
        typer.echo(f"All {records} records hold; the last has the hash {head}.")
    if problem:
        raise typer.Exit(1)


async def _named(session: AsyncSession, name: str) -> Account:
    found = await account_named(session, name.strip())
    if found is None:
        raise ConfigError(f"user {name!r}: there is none; `perishield users list` shows them")
    return found


def _password(from_stdin: bool) -> str:
    given = (
        sys.stdin.readline().rstrip("\r\n")
        if from_stdin
        else str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    )
    if not SHORTEST <= len(given) <= LONGEST:
        raise ConfigError(f"a password has {SHORTEST} to {LONGEST} characters")
    return given


def _entry(action: str, account: Account, **detail: object) -> AuditEntry:
    """By whoever runs the command: this host's user, not an account."""
    return AuditEntry(
        at=time.time(),
        actor="host",
        actor_name=getuser()[:64],
        action=action,
        kind="account",
        target=account.id,
        detail={"name": account.username, **detail},
    )
