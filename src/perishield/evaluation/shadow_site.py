"""What a shadow run takes from the site: the rule to try, the camera's settings, and what was really raised."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from perishield.evaluation.shadow_plan import RealAlarm, ShadowError, ShadowPlan
from perishield.model.errors import RuleError
from perishield.model.rules import Rule, rule_from_dict
from perishield.model.site import CAMERA_ID, Analysis
from perishield.store.alarm_list import list_alarms
from perishield.store.alarms import AlarmFilter
from perishield.store.cameras import get_camera
from perishield.store.rules import get_rule, list_rules
from perishield.store.schedules import get_schedule, with_hours

DRAFT = "draft"
"""The id of a rule that has none yet."""
_MOST_REAL = 5000


def read_draft(path: Path, camera: str) -> Rule:
    """A rule from a JSON or TOML file; `camera` wins over the one in it. Raises RuleError."""
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise RuleError(f"{path}: is no rule in JSON or TOML: {error}", field="") from error
    if not isinstance(data, Mapping):
        raise RuleError(f"{path}: is no rule: an object with `kind` and what it is drawn of is wanted", field="kind")
    # What the API gives out may be tried as it is.
    return draft({key: value for key, value in data.items() if key != "revision"}, camera)


def draft(data: Mapping[str, Any], camera: str) -> Rule:
    """The rule that plain data tell of, with what a draft may leave out filled in. Raises RuleError."""
    filled = {"id": DRAFT, "name": DRAFT, **data}
    if camera:
        filled["camera"] = camera
    if not filled.get("camera"):
        raise RuleError("rule: for which camera? name it by `camera`", field="camera")
    return rule_from_dict({**filled, "id": filled["id"] or DRAFT, "name": filled["name"] or DRAFT})


async def plan_for(
    session: AsyncSession, camera: str, start: float, end: float, rule: Rule | str | None, pictures: Path | None = None
) -> tuple[ShadowPlan, list[RealAlarm]]:
    """The plan of a trial, and what it stands against: that rule's own alarms, or all of the camera for a new rule.

    `rule`: a draft, the id of a stored one, or None for all that are drawn on the camera. Raises ShadowError.
    """
    if isinstance(rule, str):
        stored = await get_rule(session, rule)
        if stored is None:
            raise ShadowError(f"rule {rule!r}: there is none, and no such file either")
        rule = stored
    camera = camera or (rule.camera if rule is not None else "")
    if not camera:
        raise ShadowError("--camera: which one? name it, or a rule that is drawn on it", field="camera")
    if not CAMERA_ID.fullmatch(camera):
        raise ShadowError(f"camera {camera[:80]!r}: is no camera's id", field="camera")
    if rule is not None and rule.camera != camera:
        raise ShadowError(f"rule {rule.name!r}: is drawn on camera {rule.camera!r}, not on {camera!r}", field="camera")
    known = await get_camera(session, camera)
    rules = (rule,) if rule is not None else tuple(one for one in await list_rules(session, camera) if one.enabled)
    for one in rules:
        if one.schedule_id is not None and await get_schedule(session, one.schedule_id) is None:
            raise ShadowError(f"rule {one.name!r}: there is no schedule {one.schedule_id!r}", field="rule.schedule_id")
    rules = tuple(await with_hours(session, rules))
    own = rule.id if rule is not None and await get_rule(session, rule.id) is not None else None
    alarms = (
        await list_alarms(session, AlarmFilter(camera=camera, rule=own, start=start, end=end), limit=_MOST_REAL)
    ).items
    real = [
        RealAlarm(
            id=alarm.id,
            rule=str(alarm.event.rule.get("id", "")),
            rule_name=str(alarm.event.rule.get("name", "")),
            kind=alarm.event.kind.value,
            label=alarm.event.label,
            wall=alarm.event.wall,
            snapshot=alarm.event.snapshot,
        )
        for alarm in alarms
    ]
    plan = ShadowPlan(
        camera=camera,
        start=start,
        end=end,
        rules=rules,
        analysis=known.analysis if known is not None else Analysis(),
        ground=known.ground if known is not None else None,
        pictures=pictures,
    )
    return plan, sorted(real, key=lambda one: one.wall)
