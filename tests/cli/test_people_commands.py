"""`perishield users` and `perishield audit` as somebody runs them, on a database of their own."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from tests.cli.command import perishield

from perishield.store.accounts import add_account
from perishield.store.database import Database, sqlite_url

PASSWORD = "correct horse battery"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder whose database has one administrator."""

    async def make() -> None:
        database = await Database.open(sqlite_url(tmp_path / "perishield.db"))
        async with database.write() as session:
            await add_account(session, "boss", "no hash", "admin")
        await database.close()

    asyncio.run(make())
    return tmp_path


def listed(data: Path) -> dict[str, dict[str, object]]:
    code, out, err = perishield("users", "list", "--data", data, "--json")
    assert code == 0, err
    return {row["name"]: row for row in json.loads(out)}


def test_accounts_are_made_listed_and_disabled(data: Path) -> None:
    line = ("users", "add", "ann", "--role", "Operator", "--password-stdin", "--data", data)
    code, out, err = perishield(*line, given=f"{PASSWORD}\n")
    assert code == 0, err
    assert "operator" in out
    assert PASSWORD not in out
    assert listed(data)["ann"]["role"] == "operator"
    assert perishield(*line, given=f"{PASSWORD}\n")[0] == 2, "the name is taken"
    assert perishield("users", "disable", "ann", "--data", data)[0] == 0
    assert listed(data)["ann"]["disabled"] is True
    assert perishield("users", "disable", "ann", "--undo", "--data", data)[0] == 0
    assert listed(data)["ann"]["disabled"] is False
    code, out, _ = perishield("audit", "verify", "--data", data, "--json")
    assert (code, json.loads(out)["records"]) == (0, 3)


def test_a_new_password_is_kept_as_a_hash(data: Path) -> None:
    code, _, err = perishield("users", "password", "BOSS", "--password-stdin", "--data", data, given=f"{PASSWORD}\n")
    assert code == 0, err
    with sqlite3.connect(data / "perishield.db") as database:
        (kept,) = database.execute("SELECT password_hash FROM accounts WHERE username = 'boss'").fetchone()
    assert kept.startswith("$argon2id$")


@pytest.mark.parametrize(
    ("line", "given", "says"),
    [
        (("users", "disable", "boss"), "", "last administrator"),
        (("users", "disable", "nobody"), "", "there is none"),
        (("users", "add", "ann", "--password-stdin"), "short\n", "10 to 256"),
        (("users", "add", "ann", "--role", "king", "--password-stdin"), f"{PASSWORD}\n", "'king'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(data: Path, line: tuple[str, ...], given: str, says: str) -> None:
    code, _, err = perishield(*line, "--data", data, given=given)
    assert code == 2
    assert says in err
    assert "Traceback" not in err


def test_looking_makes_no_database(tmp_path: Path) -> None:
    for line in (("users", "list"), ("audit", "verify")):
        code, _, err = perishield(*line, "--data", tmp_path)
        assert code == 2
        assert "there is no such database" in err
    assert list(tmp_path.iterdir()) == []


def test_a_changed_log_is_found(data: Path) -> None:
    perishield("users", "add", "ann", "--password-stdin", "--data", data, given=f"{PASSWORD}\n")
    with sqlite3.connect(data / "perishield.db") as database:
        database.execute("UPDATE audit SET content = CAST(replace(content, 'ann', 'eve') AS BLOB)")
    code, out, _ = perishield("audit", "verify", "--data", data)
    assert code == 1
    assert "record 1 was changed" in out
