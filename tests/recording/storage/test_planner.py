"""What becomes of a segment: backups at once, moves by age, and no source ever goes before its copies are proven."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.model.storage import DAY_S, LOCAL, CopyState, SegmentCopy, StoragePlan, StorageTarget, TargetKind, Tier
from perishield.recording.storage.planner import Steps, decide


def target(name: str, tier: Tier, **fields: object) -> StorageTarget:
    made = StorageTarget(name=name, kind=TargetKind.NAS, tier=tier, path="/x")
    return replace(made, **fields)  # type: ignore[arg-type]


def copy(name: str, state: CopyState = CopyState.KEPT) -> SegmentCopy:
    return SegmentCopy(segment="s", target=name, state=state, size=1, recorded=0.0, changed=0.0)


HOT = (target("near", Tier.HOT), target("far", Tier.HOT), target("spare", Tier.HOT))
TIERED = StoragePlan(
    targets=(
        target("near", Tier.HOT),
        target("nas", Tier.WARM),
        target("cloud", Tier.COLD),
        target("vault", Tier.COLD),
    ),
    hot_days=7,
    warm_days=30,
    cold_days=90,
)
ALL = {"near", "far", "spare", "nas", "cloud", "vault"}


def test_every_hot_target_gets_a_backup_at_once() -> None:
    assert decide(StoragePlan(targets=HOT), "gate", [], 0.0, ALL).add == ("near", "far", "spare")


def test_as_many_backups_as_are_wanted_at_the_first_that_work() -> None:
    plan = StoragePlan(targets=HOT, copies=2)
    assert decide(plan, "gate", [], 0.0, ALL).add == ("near", "far")
    assert decide(plan, "gate", [], 0.0, {"far", "spare"}).add == ("far", "spare")


def test_a_spare_stands_in_for_a_target_that_fails() -> None:
    plan = StoragePlan(targets=HOT, copies=2)
    known = [copy("near"), copy("far", CopyState.FAILED)]
    assert decide(plan, "gate", known, 60.0, ALL).add == ()
    assert decide(plan, "gate", known, 60.0, ALL - {"far"}).add == ("spare",)
    assert decide(plan, "gate", [*known, copy("spare")], 60.0, ALL - {"far"}).add == ()


def test_with_no_target_at_work_each_segment_waits_at_the_first() -> None:
    plan = StoragePlan(targets=HOT, copies=1)
    assert decide(plan, "gate", [], 0.0, set()).add == ("near",)
    assert decide(plan, "gate", [copy("near", CopyState.FAILED)], 0.0, set()).add == ()


def test_footage_moves_down_when_it_is_old_enough() -> None:
    local = [copy("near")]
    assert decide(TIERED, "gate", local, 6.9 * DAY_S, ALL) == Steps()
    assert decide(TIERED, "gate", local, 7.1 * DAY_S, ALL) == Steps(add=("nas",))
    assert decide(TIERED, "gate", [*local, copy("nas")], 7.1 * DAY_S, ALL) == Steps(remove=("near", LOCAL))
    moved = [copy("nas"), copy(LOCAL, CopyState.REMOVED)]
    assert decide(TIERED, "gate", moved, 30 * DAY_S, ALL) == Steps()
    assert decide(TIERED, "gate", moved, 38 * DAY_S, ALL).add == ("cloud", "vault")


def test_a_source_stays_until_every_target_of_the_tier_has_its_proof() -> None:
    half = [copy("nas"), copy(LOCAL, CopyState.REMOVED), copy("cloud"), copy("vault", CopyState.COPYING)]
    assert decide(TIERED, "gate", half, 40 * DAY_S, ALL) == Steps()
    whole = [*half[:3], copy("vault")]
    assert decide(TIERED, "gate", whole, 40 * DAY_S, ALL).remove == ("nas",)


def test_past_the_last_tier_everything_goes_and_is_booked() -> None:
    last = [copy(LOCAL, CopyState.REMOVED), copy("cloud"), copy("vault")]
    assert decide(TIERED, "gate", last, 126.9 * DAY_S, ALL) == Steps()
    steps = decide(TIERED, "gate", last, 127.1 * DAY_S, ALL)
    assert steps.expired
    assert set(steps.remove) == {"cloud", "vault"}


def test_old_footage_that_was_never_copied_is_left_to_the_recorder() -> None:
    assert decide(TIERED, "gate", [], 500 * DAY_S, ALL) == Steps()


def test_a_target_takes_only_its_cameras() -> None:
    plan = StoragePlan(targets=(target("nas", Tier.WARM, cameras=("yard",)), target("cloud", Tier.COLD)), hot_days=7)
    assert decide(plan, "yard", [], 8 * DAY_S, ALL).add == ("nas",)
    assert decide(plan, "gate", [], 8 * DAY_S, ALL).add == ("cloud",)


@pytest.mark.parametrize("kept", [CopyState.WAITING, CopyState.COPYING, CopyState.FAILED, CopyState.LOST])
def test_nothing_but_a_proof_lets_the_recorders_own_file_go(kept: CopyState) -> None:
    assert decide(TIERED, "gate", [copy("nas", kept)], 20 * DAY_S, ALL).remove == ()


@given(
    st.lists(st.tuples(st.sampled_from(sorted(ALL)), st.sampled_from(CopyState)), max_size=6),
    st.booleans(),
    st.floats(0, 120),
    st.sets(st.sampled_from(sorted(ALL))),
)
def test_a_life_of_any_kind_never_loses_its_last_proven_copy(
    found: list[tuple[str, CopyState]], local: bool, days: float, working: set[str]
) -> None:
    copies = {name: copy(name, state) for name, state in found}
    if not local:
        copies[LOCAL] = copy(LOCAL, CopyState.REMOVED)
    steps = decide(TIERED, "gate", list(copies.values()), days * DAY_S, working)
    if steps.remove:
        left = [name for name, item in copies.items() if item.state is CopyState.KEPT and name not in steps.remove]
        assert left
    assert not steps.expired or days >= 127
    assert not set(steps.add) & copies.keys()
