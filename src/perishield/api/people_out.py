"""People, roles, groups and keys as the API answers them."""

from __future__ import annotations

from typing_extensions import TypedDict

from perishield.api.times import iso
from perishield.model.people import CameraGroup, Role
from perishield.store.accounts import Account
from perishield.store.api_keys import ApiKey
from perishield.store.sessions import Login


class AccountOut(TypedDict):
    id: str
    username: str
    full_name: str
    role: str
    disabled: bool
    totp: bool
    has_password: bool
    issuer: str
    created: str
    last_login: str | None
    revision: int


class AccountsOut(TypedDict):
    items: list[AccountOut]
    total: int


class PasswordUrlOut(TypedDict):
    """Good once, until then."""

    password_url: str
    expires: str


class NewAccountOut(TypedDict):
    user: AccountOut
    password_link: PasswordUrlOut | None


class RoleOut(TypedDict):
    id: str
    name: str
    built_in: bool
    actions: list[str]
    grants: dict[str, list[str]]
    totp: bool
    users: int
    revision: int


class RolesOut(TypedDict):
    """`actions`: all that there are."""

    items: list[RoleOut]
    total: int
    actions: list[str]


class GroupOut(TypedDict):
    id: str
    name: str
    kind: str
    note: str
    adjoining: bool
    cameras: list[str]
    revision: int


class GroupsOut(TypedDict):
    items: list[GroupOut]
    total: int


class LoginOut(TypedDict):
    """`current`: the one that asks."""

    id: str
    created: str
    seen: str
    expires: str
    address: str
    device: str
    current: bool


class LoginsOut(TypedDict):
    items: list[LoginOut]
    total: int


class ProfileOut(TypedDict):
    account: AccountOut
    totp: bool
    recovery_codes_left: int


class TotpOut(TypedDict):
    """Shown this once. `uri` is what the QR code says."""

    secret: str
    uri: str


class RecoveryCodesOut(TypedDict):
    """Shown this once; each stands in for the second factor once."""

    recovery_codes: list[str]


class ApiKeyOut(TypedDict):
    id: str
    name: str
    actions: list[str]
    groups: list[str] | None
    made_by: str
    created: str
    expires: str | None
    used: str | None
    revoked: str | None


class ApiKeysOut(TypedDict):
    items: list[ApiKeyOut]
    total: int


class NewApiKeyOut(ApiKeyOut):
    """`key` is told this once."""

    key: str


def account_out(account: Account) -> AccountOut:
    return {
        "id": account.id,
        "username": account.username,
        "full_name": account.full_name,
        "role": account.role,
        "disabled": account.disabled,
        "totp": account.totp_on,
        "has_password": bool(account.password_hash),
        "issuer": account.issuer,
        "created": iso(account.created),
        "last_login": iso(account.last_login) if account.last_login else None,
        "revision": account.revision,
    }


def role_out(role: Role, users: int) -> RoleOut:
    return {
        "id": role.id,
        "name": role.name,
        "built_in": role.built_in,
        "actions": sorted(role.actions),
        "grants": {group: sorted(actions) for group, actions in sorted(role.grants.items())},
        "totp": role.totp,
        "users": users,
        "revision": role.revision,
    }


def group_out(group: CameraGroup) -> GroupOut:
    return {
        "id": group.id,
        "name": group.name,
        "kind": group.kind.value,
        "note": group.note,
        "adjoining": group.adjoining,
        "cameras": list(group.cameras),
        "revision": group.revision,
    }


def login_out(login: Login, current: str) -> LoginOut:
    return {
        "id": login.id,
        "created": iso(login.created),
        "seen": iso(login.seen),
        "expires": iso(min(login.expires, login.ends)),
        "address": login.address,
        "device": login.device,
        "current": login.id == current,
    }


def key_out(key: ApiKey) -> ApiKeyOut:
    return {
        "id": key.id,
        "name": key.name,
        "actions": sorted(key.actions),
        "groups": None if key.groups is None else list(key.groups),
        "made_by": key.made_by,
        "created": iso(key.created),
        "expires": iso(key.expires) if key.expires else None,
        "used": iso(key.used) if key.used else None,
        "revoked": iso(key.revoked) if key.revoked else None,
    }
