"""Holds."""

from __future__ import annotations

from perishield.store.database import Database
from perishield.store.holds import add_hold, change_hold, get_hold, lift_hold, list_holds


async def test_holds_come_back_by_camera_and_time_until_they_are_lifted(database: Database) -> None:
    async with database.write() as session:
        theft = await add_hold(session, "gate", 100.0, 200.0, "Theft of 12 May", "admin")
        later = await add_hold(session, "gate", 500.0, 600.0, "案件 7", "admin")
        yard = await add_hold(session, "yard", 50.0, 60.0, "Fall", "viewer")
    async with database.read() as session:
        assert await list_holds(session) == [yard, theft, later]
        assert await list_holds(session, "gate") == [theft, later]
        assert await list_holds(session, "gate", 200.0, 500.0) == [], "both ends are open"
        assert await list_holds(session, None, 59.0, 101.0) == [yard, theft]
        assert await get_hold(session, later.id) == later
    async with database.write() as session:
        changed = await change_hold(session, theft.id, 90.0, 210.0, "Theft")
        assert changed is not None
        assert (changed.start, changed.until, changed.reason, changed.who) == (90.0, 210.0, "Theft", "admin")
        assert await change_hold(session, "0" * 32, 1, 2, "x") is None
        assert await lift_hold(session, yard.id)
        assert not await lift_hold(session, yard.id)
    async with database.read() as session:
        assert [hold.id for hold in await list_holds(session)] == [theft.id, later.id]
