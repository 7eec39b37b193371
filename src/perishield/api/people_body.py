"""What the API takes in about people, roles, groups and keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from perishield.api.bodies import NewPassword, Revision, Username
from perishield.api.passwords import LONGEST, SHORTEST
from perishield.model.access import Action
from perishield.model.people import CameraGroup, GroupKind

_TEXT = r"^[^\x00-\x1f]*$"

RoleId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,16}$")]
GroupId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,16}$")]
Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")
]
FullName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100, pattern=_TEXT)]
Token = Annotated[str, StringConstraints(max_length=200), Field(repr=False)]
OldPassword = Annotated[str, StringConstraints(max_length=LONGEST), Field(repr=False)]
Code = Annotated[str, StringConstraints(strip_whitespace=True, max_length=32), Field(repr=False)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RefreshBody(_Body):
    refresh_token: Token = ""


class RegisterBody(_Body):
    username: Username
    password: NewPassword
    full_name: FullName = ""
    cookie: bool = False


class PasswordLinkBody(_Body):
    token: Token
    password: NewPassword


class ProfileBody(_Body):
    full_name: FullName


class PasswordBody(_Body):
    """The password that counts now, and the one that shall."""

    old: OldPassword
    new: NewPassword


class CodeBody(_Body):
    code: Code


class TotpOffBody(_Body):
    """Taking the second factor away needs the password: an unlocked screen is not enough."""

    password: OldPassword


class UserBody(_Body):
    """A new account. Without a password, `password_url` of the answer lets them set one."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"username": "ann", "full_name": "Ann Guard", "role": "operator"}]},
    )

    username: Username
    full_name: FullName = ""
    role: RoleId
    password: Annotated[str, StringConstraints(min_length=SHORTEST, max_length=LONGEST)] | None = Field(
        default=None, repr=False
    )


class UserChangeBody(_Body):
    username: Username
    full_name: FullName = ""
    role: RoleId
    disabled: bool = False
    revision: Revision | None = None


class RoleBody(_Body):
    """`actions` count at every camera, `grants` at those of a group (by its id)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "Guards of the north site",
                    "actions": [],
                    "grants": {"5f2c9a01b7de": ["live.view", "alarms.view", "alarms.handle"]},
                }
            ]
        },
    )

    name: Title
    actions: list[Action] = Field(default=[], max_length=100)
    grants: dict[GroupId, list[Action]] = Field(default={}, max_length=1000)
    totp: StrictBool = False
    revision: Revision | None = None


class GroupBody(_Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "North site", "kind": "site", "cameras": ["gate", "yard"]}]},
    )

    name: Title
    kind: GroupKind = GroupKind.GROUP
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""
    adjoining: bool | None = Field(
        default=None,
        description="Its cameras see adjoining ground: one intruder seen by several is one. On PUT null: as it is.",
    )
    cameras: list[Annotated[str, StringConstraints(max_length=63)]] = Field(default=[], max_length=10_000)
    revision: Revision | None = None

    def group(self, before: CameraGroup | None) -> CameraGroup:
        """As the model has it; `before` is what it changes."""
        base = before or CameraGroup(id="", name=self.name)
        return replace(
            base,
            name=self.name,
            kind=self.kind,
            note=self.note,
            adjoining=base.adjoining if self.adjoining is None else self.adjoining,
            cameras=tuple(sorted(set(self.cameras))),
        )


class ApiKeyBody(_Body):
    """`groups` null: at every camera. `days` 0: until revoked."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "Gate controller", "actions": ["alarms.view"], "days": 365}]},
    )

    name: Title
    actions: list[Action] = Field(min_length=1, max_length=100)
    groups: list[GroupId] | None = Field(default=None, max_length=1000)
    days: float = Field(default=365, ge=0, le=3650, allow_inf_nan=False)
