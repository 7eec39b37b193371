"""Roles and groups of cameras: who may do what, where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from perishield.model.access import Action

ADMINISTRATOR = "admin"
OPERATOR = "operator"
VIEWER = "viewer"


class GroupKind(StrEnum):
    """A `site` is a place, a `group` any choice of cameras; access does not tell them apart."""

    SITE = "site"
    GROUP = "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """`actions` are allowed at every camera, `grants` (by group id) at those of a group.

    A built-in role cannot be changed. `totp`: whoever has it must log in with a second factor.
    """

    id: str
    name: str
    built_in: bool = False
    actions: frozenset[Action] = frozenset()
    grants: Mapping[str, frozenset[Action]] = field(default_factory=dict)
    totp: bool = False
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraGroup:
    """`cameras`: ids, sorted. `adjoining`: they see adjoining ground, so that one intruder may be seen by several."""

    id: str
    name: str
    kind: GroupKind = GroupKind.GROUP
    note: str = ""
    adjoining: bool = False
    cameras: tuple[str, ...] = ()
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcPlan:
    """An OpenID provider that people log in at; `issuer` empty: none. `roles`: the role's id by the provider's group.

    `default_role` is for those in none of these groups; empty: they are not let in.
    """

    issuer: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    name: str = "Single sign-on"
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = "groups"
    roles: Mapping[str, str] = field(default_factory=dict)
    default_role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsPlan:
    """How people and machines come in. `default_role`: of those who register themselves, where that is allowed."""

    registration: bool = False
    default_role: str = VIEWER
    access_minutes: float = 15.0
    idle_minutes: float = 720.0
    longest_days: float = 30.0
    requests_per_s: float = 100.0
    """By each caller, on average; 0: as many as they like."""
    cors_origins: tuple[str, ...] = ()
    oidc: OidcPlan = field(default_factory=OidcPlan)
