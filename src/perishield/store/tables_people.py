"""Tables of roles, groups of cameras, sessions and keys. Lists of actions are JSON texts."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from perishield.store.tables import EMPTY, Base


class RoleTable(Base):
    __tablename__ = "roles"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    folded: Mapped[str] = mapped_column(String(128), unique=True)
    built_in: Mapped[bool]
    actions: Mapped[str] = mapped_column(Text)
    totp: Mapped[bool] = mapped_column(server_default=false())
    revision: Mapped[int]
    created: Mapped[float]


class GroupTable(Base):
    """A group of cameras."""

    __tablename__ = "camera_groups"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    folded: Mapped[str] = mapped_column(String(128), unique=True)
    kind: Mapped[str] = mapped_column(String(8))
    note: Mapped[str] = mapped_column(Text, server_default=EMPTY)
    adjoining: Mapped[bool] = mapped_column(server_default=false())
    revision: Mapped[int]
    created: Mapped[float]


class GroupMemberTable(Base):
    __tablename__ = "camera_group_members"

    group: Mapped[str] = mapped_column(ForeignKey("camera_groups.id", ondelete="CASCADE"), primary_key=True)
    camera: Mapped[str] = mapped_column(ForeignKey("cameras.id", ondelete="CASCADE"), primary_key=True, index=True)


class RoleGrantTable(Base):
    """What a role may do at the cameras of a group; a group that grants name cannot be deleted."""

    __tablename__ = "role_grants"

    role: Mapped[str] = mapped_column(ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True)
    group: Mapped[str] = mapped_column(ForeignKey("camera_groups.id"), primary_key=True, index=True)
    actions: Mapped[str] = mapped_column(Text)


class SessionTable(Base):
    """A login. `seen`: when it was last renewed. `revoked` 0: not."""

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_account", "account"), Index("ix_sessions_expires", "expires"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    created: Mapped[float]
    seen: Mapped[float]
    expires: Mapped[float]
    ends: Mapped[float]
    """When it ends however often it is renewed."""
    revoked: Mapped[float]
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(200))


class RefreshTokenTable(Base):
    """A refresh token that was given out, by its hash. `used` 0: not yet. One that comes back ends its session."""

    __tablename__ = "refresh_tokens"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    session: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    used: Mapped[float]


class RecoveryCodeTable(Base):
    """What stands in for a lost second factor, once each, by its hash."""

    __tablename__ = "recovery_codes"

    account: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)


class PasswordLinkTable(Base):
    """A link, good once, with which somebody sets a password; by its hash."""

    __tablename__ = "password_links"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    expires: Mapped[float]


class ApiKeyTable(Base):
    """A machine's key, by the hash of its secret. `groups` JSON list, or empty: all cameras. 0 in a time: never."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
    actions: Mapped[str] = mapped_column(Text)
    groups: Mapped[str] = mapped_column(Text)
    made_by: Mapped[str] = mapped_column(String(64))
    created: Mapped[float]
    expires: Mapped[float]
    used: Mapped[float]
    revoked: Mapped[float]
