"""Roles, groups, sessions, keys and the audit log in the store, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import asyncio
import time

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from perishield.model.access import EVERYTHING, Action
from perishield.model.audit import AuditEntry
from perishield.model.people import GroupKind
from perishield.model.site import Camera
from perishield.store.accounts import (
    add_account,
    add_password_link,
    delete_account,
    keep_recovery_codes,
    keep_totp,
    list_accounts,
    recovery_codes_left,
    use_password_link,
    use_recovery_code,
    use_totp_step,
)
from perishield.store.api_keys import add_api_key, get_api_key, key_used, revoke_api_key
from perishield.store.audit import AuditFilter, list_audit, verify_audit
from perishield.store.cameras import add_camera, delete_camera
from perishield.store.chain import append_audit
from perishield.store.database import Database
from perishield.store.groups import add_group, delete_group, get_group, group_members, list_groups
from perishield.store.roles import add_role, delete_role, get_role, list_roles, update_role
from perishield.store.sessions import (
    Login,
    add_session,
    forget_sessions,
    list_sessions,
    refresh_token,
    revoke,
    revoked_since,
    rotate,
)


async def test_built_in_roles_are_there_and_may_what_the_program_says(database: Database) -> None:
    async with database.read() as session:
        roles = {role.id: role for role in await list_roles(session)}
    assert list(roles) == ["admin", "operator", "viewer"]
    assert roles["admin"].actions == EVERYTHING
    assert Action.ALARMS_HANDLE in roles["operator"].actions - roles["viewer"].actions


async def test_roles_and_groups_hold_each_other(database: Database) -> None:
    async with database.write() as session:
        for name in ("gate", "yard"):
            await add_camera(session, Camera(id=name, name=name, url="rtsp://10.0.0.1/"))
        group = await add_group(session, "North", GroupKind.SITE, "", ["gate", "yard", "gate"])
        role = await add_role(session, "Guard", [Action.SYSTEM_VIEW], {group.id: [Action.LIVE_VIEW]})
        changed = await update_role(session, role, 1)
        assert changed is not None
        assert await update_role(session, role, 1) is None, "its revision is 2 by now"
        await add_account(session, "ann", "hash", role.id)
    async with database.read() as session:
        assert (await group_members(session)) == {group.id: frozenset({"gate", "yard"})}
        found = await get_role(session, role.id)
        assert found is not None
        assert found.grants == {group.id: frozenset({Action.LIVE_VIEW})}
        assert (await list_groups(session, search="NOR", camera="gate"))[1] == 1
    with pytest.raises(IntegrityError):
        async with database.write() as session:
            await delete_role(session, role.id)
    with pytest.raises(IntegrityError):
        async with database.write() as session:
            await delete_group(session, group.id)
    with pytest.raises(IntegrityError):
        async with database.write() as session:
            await add_account(session, "eve", "hash", "nosuchrole")
    async with database.write() as session:
        await delete_camera(session, "gate")
    async with database.read() as session:
        kept = await get_group(session, group.id)
    assert kept is not None
    assert kept.cameras == ("yard",)


def login_of(account: str, name: str, now: float) -> Login:
    return Login(
        id=name,
        account=account,
        created=now,
        seen=now,
        expires=now + 60,
        ends=now + 600,
        address="10.0.0.7",
        device="browser",
    )


async def test_sessions_are_renewed_ended_and_forgotten(database: Database) -> None:
    now = time.time()
    async with database.write() as session:
        ann = await add_account(session, "ann", "hash", "viewer")
        for name in ("one", "two", "three"):
            await add_session(session, login_of(ann.id, name, now), f"token of {name}")
    async with database.write() as session:
        found = await refresh_token(session, "token of one")
        assert found is not None
        assert found[1] == 0
        await rotate(session, found[0], "token of one", "next token", now + 1)
    async with database.write() as session:
        used = await refresh_token(session, "token of one")
        assert used is not None
        assert used[1] == now + 1
        assert await refresh_token(session, "no such token") is None
        assert await revoke(session, now, account="somebody else", login="two") == []
        assert await revoke(session, now, login="two") == ["two"]
        assert await revoke(session, now, account=ann.id, but="one") == ["three"]
    async with database.read() as session:
        assert [login.id for login in await list_sessions(session, ann.id, now)] == ["one"]
        assert {name for name, _ in await revoked_since(session, now - 1)} == {"two", "three"}
    async with database.write() as session:
        await forget_sessions(session, now + 61)
        assert await list_sessions(session, ann.id, now) == []
        assert await refresh_token(session, "next token") is None
        await delete_account(session, ann.id)


async def test_of_two_who_show_one_refresh_token_at_once_the_second_sees_it_used(database: Database) -> None:
    now = time.time()
    async with database.write() as session:
        ann = await add_account(session, "ann", "hash", "viewer")
        await add_session(session, login_of(ann.id, "one", now), "token")

    async def show(number: int) -> bool:
        async with database.write() as session:
            found = await refresh_token(session, "token")
            assert found is not None
            if found[1]:
                return False
            await asyncio.sleep(0)
            await rotate(session, found[0], "token", f"token {number}", now + 1)
            return True

    assert sorted(await asyncio.gather(*(show(number) for number in range(4)))) == [False, False, False, True]


async def test_codes_and_links_count_once(database: Database) -> None:
    now = time.time()
    async with database.write() as session:
        ann = await add_account(session, "ann", "hash", "viewer")
        await keep_totp(session, ann.id, "SECRET", on=True, step=10)
        assert not await use_totp_step(session, ann.id, 10)
        assert await use_totp_step(session, ann.id, 11)
        assert not await use_totp_step(session, ann.id, 11)
        await keep_recovery_codes(session, ann.id, ["a", "b"])
        assert await use_recovery_code(session, ann.id, "a")
        assert not await use_recovery_code(session, ann.id, "a")
        assert await recovery_codes_left(session, ann.id) == 1
        await add_password_link(session, ann.id, "old", now + 60)
        await add_password_link(session, ann.id, "new", now + 60)
        assert await use_password_link(session, "old", now) is None
        assert await use_password_link(session, "new", now + 61) is None
        assert await use_password_link(session, "new", now) == ann.id
        assert await use_password_link(session, "new", now) is None


async def test_accounts_are_searched(database: Database) -> None:
    async with database.write() as session:
        await add_account(session, "ann", "", "viewer", full_name="Ann Hill")
        await add_account(session, "bob_1", "", "operator")
    async with database.read() as session:
        assert [one.username for one in (await list_accounts(session, search="HILL", limit=9, offset=0))[0]] == ["ann"]
        assert (await list_accounts(session, search="_", limit=9, offset=0))[1] == 1
        assert (await list_accounts(session, role="operator", disabled=False, limit=9, offset=0))[1] == 1


async def test_keys_are_kept_by_their_hash(database: Database) -> None:
    async with database.write() as session:
        key = await add_api_key(session, "Gate", "hash", [Action.LIVE_VIEW], ["n", "n"], "ann", 0.0)
        await key_used(session, key.id, 5.0)
        assert await revoke_api_key(session, key.id, 6.0)
        assert not await revoke_api_key(session, key.id, 7.0)
    async with database.read() as session:
        found = await get_api_key(session, key.id)
    assert found is not None
    assert (found.actions, found.groups, found.used, found.revoked) == (frozenset({Action.LIVE_VIEW}), ("n",), 5.0, 6.0)


async def test_the_audit_log_is_found_again_and_proved(database: Database) -> None:
    async def write(number: int) -> None:
        entry = AuditEntry(at=float(number), actor="a", actor_name="Ann", action=f"camera.{number}", camera="gate")
        async with database.write() as session:
            await append_audit(session, entry)

    await asyncio.gather(*(write(number) for number in range(12)))
    assert (await verify_audit(database))[::2] == (12, "")
    async with database.read() as session:
        page, following = await list_audit(session, AuditFilter(actor="Ann", action="camera."), limit=5)
        assert [link.number for link in page] == [12, 11, 10, 9, 8]
        assert following == 8
        assert (await list_audit(session, AuditFilter(action="camera_"), limit=5))[0] == []
        span = AuditFilter(start=3.0, end=5.0)
        assert len((await list_audit(session, span, limit=5))[0]) == 2
    async with database.write() as session:
        await session.execute(text("UPDATE audit SET number = number + 100 WHERE number = 12"))
    assert (await verify_audit(database))[2] == "record 12 is missing"
