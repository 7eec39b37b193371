"""Accounts, cameras and rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from perishield.model.rules import Fence, Tripwire, Zone
from perishield.model.site import CAMERA_ID, Analysis, Camera
from perishield.store.accounts import account_by_id, account_named, add_account, count_accounts, replace_hash
from perishield.store.cameras import (
    add_camera,
    camera_names,
    delete_camera,
    free_id,
    get_camera,
    list_cameras,
    update_camera,
)
from perishield.store.database import Database
from perishield.store.rules import add_rule, delete_rule, get_rule, list_rules, update_rule

GATE = Camera(
    id="gate",
    name="Gate",
    url="rtsp://10.0.0.4/ch1",
    username="admin",
    password="pass word",
    analysis=Analysis(fps=4.5, min_score=0.4),
)
LINE = Tripwire(id="line", camera="gate", name="Line", line=((0.1, 0.5), (0.9, 0.5)))


async def test_names_of_accounts_are_unique_whatever_their_case(database: Database) -> None:
    async with database.write() as session:
        account = await add_account(session, "Weiß", "hash", "admin")
    with pytest.raises(IntegrityError):
        async with database.write() as session:
            await add_account(session, "WEISS", "hash", "viewer")
    async with database.write() as session:
        await replace_hash(session, account.id, "better")
    async with database.read() as session:
        assert await count_accounts(session) == 1
        found = await account_named(session, "wEIß")
        assert found is not None
        assert (found.id, found.username, found.password_hash) == (account.id, "Weiß", "better")
        assert await account_by_id(session, account.id) == found
        assert await account_named(session, "somebody") is None
    assert "better" not in repr(found)


async def test_a_camera_comes_back_as_it_was_given(database: Database) -> None:
    async with database.write() as session:
        kept = await add_camera(session, GATE)
    assert kept == replace(GATE, revision=1)
    async with database.read() as session:
        assert await get_camera(session, "gate") == kept
        assert await list_cameras(session) == [kept]
        assert await camera_names(session) == {"gate": "Gate"}


async def test_a_stale_revision_changes_nothing(database: Database) -> None:
    async with database.write() as session:
        await add_camera(session, GATE)
    async with database.write() as session:
        changed = await update_camera(session, replace(GATE, name="North gate"), expected=1)
        assert changed is not None
        assert changed.revision == 2
    async with database.write() as session:
        assert await update_camera(session, replace(GATE, name="South gate"), expected=1) is None
        assert await update_camera(session, replace(GATE, id="nowhere"), expected=None) is None
    async with database.read() as session:
        assert (await camera_names(session))["gate"] == "North gate"


async def test_rules_of_every_kind_come_back_as_they_were_drawn(database: Database) -> None:
    drawn = [
        LINE,
        Zone(id="zone", camera="gate", name="区域", polygon=((0, 0), (1, 0), (1, 1)), on=("enter", "exit")),
        Fence(id="fence", camera="gate", name="Fence", outer=((0, 0.2), (1, 0.2)), inner=((0, 0.4), (1, 0.4))),
    ]
    async with database.write() as session:
        await add_camera(session, GATE)
        for rule in drawn:
            await add_rule(session, rule)
    async with database.read() as session:
        assert await list_rules(session, "gate") == [replace(rule, revision=1) for rule in drawn]
        assert await list_rules(session, "other") == []


async def test_a_rule_changes_and_goes(database: Database) -> None:
    async with database.write() as session:
        await add_camera(session, GATE)
        await add_rule(session, LINE)
    async with database.write() as session:
        changed = await update_rule(session, replace(LINE, level=1), expected=1)
        assert changed is not None
        assert (changed.level, changed.revision) == (1, 2)
        assert await update_rule(session, LINE, expected=1) is None
        assert await get_rule(session, "line") == changed
        assert await delete_rule(session, "line")
        assert not await delete_rule(session, "line")


async def test_a_rule_needs_its_camera_and_goes_with_it(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.write() as session:
            await add_rule(session, LINE)
    async with database.write() as session:
        await add_camera(session, GATE)
        await add_rule(session, LINE)
    async with database.write() as session:
        assert await delete_camera(session, "gate")
        assert not await delete_camera(session, "gate")
    async with database.read() as session:
        assert await list_rules(session) == []


@given(wanted=st.from_regex(CAMERA_ID, fullmatch=True), others=st.sets(st.from_regex(CAMERA_ID, fullmatch=True)))
def test_a_free_id_is_free_and_an_id(wanted: str, others: set[str]) -> None:
    taken = others | {wanted}
    for _ in range(12):
        found = free_id(wanted, taken)
        assert found not in taken
        assert CAMERA_ID.fullmatch(found)
        taken.add(found)
