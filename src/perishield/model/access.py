"""What somebody may do, and to which cameras: the vocabulary of roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Action(StrEnum):
    """What a role can be allowed. The value is what the API, the database and the audit log write."""

    LIVE_VIEW = "live.view"
    RECORDINGS_VIEW = "recordings.view"
    RECORDINGS_EXPORT = "recordings.export"
    RECORDINGS_HOLD = "recordings.hold"
    ALARMS_VIEW = "alarms.view"
    ALARMS_HANDLE = "alarms.handle"
    """Acknowledge, assign, comment, confirm, dismiss, close."""
    EVIDENCE_EXPORT = "evidence.export"
    PRIVACY_UNMASK = "privacy.unmask"
    """See what privacy masks cover."""
    STATISTICS_VIEW = "statistics.view"
    SYSTEM_VIEW = "system.view"
    CAMERAS_EDIT = "cameras.edit"
    RULES_EDIT = "rules.edit"
    MODELS_EDIT = "models.edit"
    CHANNELS_EDIT = "channels.edit"
    STORAGE_EDIT = "storage.edit"
    PEOPLE_EDIT = "people.edit"
    AUDIT_VIEW = "audit.view"


EVERYTHING = frozenset(Action)
LOOKING = frozenset(
    {
        Action.LIVE_VIEW,
        Action.RECORDINGS_VIEW,
        Action.ALARMS_VIEW,
        Action.STATISTICS_VIEW,
        Action.SYSTEM_VIEW,
    }
)

OPERATING = LOOKING | {Action.ALARMS_HANDLE, Action.RECORDINGS_HOLD}
"""What guards do."""
SITEWIDE = frozenset(
    {Action.MODELS_EDIT, Action.CHANNELS_EDIT, Action.STORAGE_EDIT, Action.PEOPLE_EDIT, Action.AUDIT_VIEW}
)
"""What concerns no single camera, so that it cannot be granted for a group of them."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a caller may do. `cameras`: the ids within reach; None: all, those to come included.

    `grants` has the cameras of single actions, where a role's actions reach differently far; `narrowed` applies it.
    """

    actions: frozenset[Action]
    cameras: frozenset[str] | None = None
    grants: Mapping[Action, frozenset[str] | None] = field(default_factory=dict)

    def sees(self, camera: str) -> bool:
        return self.cameras is None or camera in self.cameras

    def narrowed(self, action: Action) -> Reach:
        """The same with the cameras at which this action is allowed."""
        return replace(self, cameras=self.cameras_for(action))

    def cameras_for(self, action: Action) -> frozenset[str] | None:
        return self.grants.get(action, self.cameras) if action in self.actions else frozenset()

    def allows(self, action: Action, camera: str) -> bool:
        """Whether the action is allowed at that camera."""
        cameras = self.cameras_for(action)
        return cameras is None or camera in cameras

    def covers(self, other: Reach) -> bool:
        """Whether nothing in the other goes beyond this: nobody can give away more than they have."""
        for action in other.actions:
            wide, asked = self.cameras_for(action), other.cameras_for(action)
            if action not in self.actions or (wide is not None and (asked is None or not asked <= wide)):
                return False
        return True


def reach_for(
    actions: frozenset[Action], grants: Mapping[str, frozenset[Action]], members: Mapping[str, frozenset[str]]
) -> Reach:
    """The reach of actions at every camera, and of further ones at the cameras of groups.

    Whoever may do anything at a camera may know that it is there: `system.view` comes with every grant.
    """
    if not grants:
        return Reach(actions)
    found: dict[Action, frozenset[str] | None] = dict.fromkeys(actions)
    for group, allowed in grants.items():
        cameras = members.get(group, frozenset())
        for action in (allowed - SITEWIDE) | {Action.SYSTEM_VIEW}:
            before = found.get(action, frozenset())
            found[action] = None if before is None else before | cameras
    everywhere = any(cameras is None for action, cameras in found.items() if action not in SITEWIDE)
    union: frozenset[str] = frozenset().union(*(cameras for cameras in found.values() if cameras is not None))
    return Reach(frozenset(found), None if everywhere else union, found)
