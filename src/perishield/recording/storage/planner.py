"""What should become of a segment, decided from what is known of its copies. Pure: no disk, no clock, no network."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from perishield.model.storage import LOCAL, TIERS, CopyState, SegmentCopy, StoragePlan, StorageTarget, Tier


@dataclass(frozen=True, slots=True)
class Steps:
    """`add`: targets that shall get a copy. `remove`: targets (or LOCAL) whose copy is no longer needed.

    `expired`: the footage is past its last tier; what remains is removed for good. `forget`: rows of copies that never
    came to be and need not any more.
    """

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    expired: bool = False
    forget: tuple[str, ...] = ()


NOTHING = Steps()


def takes(target: StorageTarget, camera: str) -> bool:
    return not target.cameras or camera in target.cameras


def due_tier(plan: StoragePlan, camera: str, age_s: float) -> Tier | None:
    """The tier in which footage of that camera and age belongs; None where it is past the last one that takes it."""
    days = {Tier.HOT: plan.hot_days, Tier.WARM: plan.warm_days, Tier.COLD: plan.cold_days}
    end = 0.0
    for tier in TIERS:
        if tier is Tier.HOT or any(takes(target, camera) for target in plan.of_tier(tier)):
            end += days[tier] * 86_400
            if age_s < end:
                return tier
    return None


def decide(
    plan: StoragePlan, camera: str, copies: Sequence[SegmentCopy], age_s: float, working: Collection[str]
) -> Steps:
    """The next steps for a segment. `working`: names of the targets that answer at present.

    A copy further up is removed only when every target of the tier below has a proven one.
    """
    state = {copy.target: copy.state for copy in copies}
    tier = due_tier(plan, camera, age_s)
    if tier is None:
        return _expire(plan, state)
    if tier is Tier.HOT:
        return Steps(add=_hot(plan, camera, state, working))
    here = [target.name for target in plan.of_tier(tier) if takes(target, camera)]
    add = tuple(name for name in here if name not in state)
    if any(state.get(name) is not CopyState.KEPT for name in here):
        return Steps(add=add)
    above = [target.name for up in TIERS[: TIERS.index(tier)] for target in plan.of_tier(up)]
    remove = [name for name in above if state.get(name) is CopyState.KEPT]
    if state.get(LOCAL) is not CopyState.REMOVED:
        remove.append(LOCAL)
    return Steps(remove=tuple(remove), forget=tuple(name for name in above if name in state and name not in remove))


def _hot(plan: StoragePlan, camera: str, state: dict[str, CopyState], working: Collection[str]) -> tuple[str, ...]:
    """Backups: all hot targets, or as many as are wanted, where a target that fails is stood in for by the next."""
    hot = [target.name for target in plan.of_tier(Tier.HOT) if takes(target, camera)]
    missing = [name for name in hot if name not in state]
    if not plan.copies or plan.copies >= len(hot):
        return tuple(missing)
    good = sum(1 for name in hot if state.get(name) is CopyState.KEPT or (name in state and name in working))
    ranked = sorted(missing, key=lambda name: name not in working)
    wanted = max(0, plan.copies - good)
    # Where nothing works, each segment waits at the first ones and at no more.
    usable = [name for name in ranked if name in working] if state else ranked
    return tuple(usable[:wanted])


def _expire(plan: StoragePlan, state: dict[str, CopyState]) -> Steps:
    names = {target.name for target in plan.targets}
    remove = tuple(name for name, found in state.items() if name in names and found is CopyState.KEPT)
    unborn = tuple(
        name
        for name, found in state.items()
        if found in (CopyState.WAITING, CopyState.FAILED) or (name == LOCAL and found is CopyState.REMOVED)
    )
    if not remove and not unborn:
        return NOTHING
    return Steps(remove=remove, expired=True, forget=unborn)
