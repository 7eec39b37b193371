"""Roles, groups of cameras, sessions, second factors and keys. Whoever was no administrator becomes a viewer."""

from __future__ import annotations

import json
import time

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_LOOKING = ["alarms.view", "live.view", "recordings.view", "statistics.view", "system.view"]
_EVERYTHING = [
    *("alarms.handle", "alarms.view", "audit.view", "cameras.edit", "channels.edit", "evidence.export"),
    *("live.view", "models.edit", "people.edit", "privacy.unmask", "recordings.export", "recordings.hold"),
    *("recordings.view", "rules.edit", "statistics.view", "storage.edit", "system.view"),
]
_BUILT_IN = {
    "admin": ("Administrator", _EVERYTHING),
    "operator": ("Operator", sorted([*_LOOKING, "alarms.handle", "recordings.hold"])),
    "viewer": ("Viewer", _LOOKING),
}


def upgrade() -> None:
    roles = op.create_table(
        "roles",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("folded", sa.String(128), nullable=False),
        sa.Column("built_in", sa.Boolean(), nullable=False),
        sa.Column("actions", sa.Text(), nullable=False),
        sa.Column("totp", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_roles"),
        sa.UniqueConstraint("folded", name="uq_roles_folded"),
    )
    now = time.time()
    op.bulk_insert(
        roles,
        [
            {
                "id": role,
                "name": name,
                "folded": name.casefold(),
                "built_in": True,
                "actions": json.dumps(actions),
                "totp": False,
                "revision": 1,
                "created": now,
            }
            for role, (name, actions) in _BUILT_IN.items()
        ],
    )
    op.execute("UPDATE accounts SET role = 'viewer' WHERE role NOT IN ('admin', 'operator', 'viewer')")
    with op.batch_alter_table("accounts") as batch:
        batch.add_column(sa.Column("full_name", sa.String(100), server_default=sa.text("''"), nullable=False))
        batch.add_column(sa.Column("disabled", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch.add_column(sa.Column("last_login", sa.Double(), server_default=sa.text("0"), nullable=False))
        batch.add_column(sa.Column("totp_secret", sa.String(64), server_default=sa.text("''"), nullable=False))
        batch.add_column(sa.Column("totp_on", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch.add_column(sa.Column("totp_step", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
        batch.add_column(sa.Column("issuer", sa.String(255), server_default=sa.text("''"), nullable=False))
        batch.add_column(sa.Column("subject", sa.String(255), server_default=sa.text("''"), nullable=False))
        batch.add_column(sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False))
        batch.create_foreign_key("fk_accounts_role", "roles", ["role"], ["id"])
        batch.create_index("ix_accounts_issuer_subject", ["issuer", "subject"])
    op.create_table(
        "camera_groups",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("folded", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_camera_groups"),
        sa.UniqueConstraint("folded", name="uq_camera_groups_folded"),
    )
    op.create_table(
        "camera_group_members",
        sa.Column("group", sa.String(16), nullable=False),
        sa.Column("camera", sa.String(63), nullable=False),
        sa.ForeignKeyConstraint(
            ["group"], ["camera_groups.id"], name="fk_camera_group_members_group", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["camera"], ["cameras.id"], name="fk_camera_group_members_camera", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("group", "camera", name="pk_camera_group_members"),
    )
    op.create_index("ix_camera_group_members_camera", "camera_group_members", ["camera"])
    op.create_table(
        "role_grants",
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("group", sa.String(16), nullable=False),
        sa.Column("actions", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["role"], ["roles.id"], name="fk_role_grants_role", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["group"], ["camera_groups.id"], name="fk_role_grants_group"),
        sa.PrimaryKeyConstraint("role", "group", name="pk_role_grants"),
    )
    op.create_index("ix_role_grants_group", "role_grants", ["group"])
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("seen", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("ends", sa.Double(), nullable=False),
        sa.Column("revoked", sa.Double(), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("device", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_sessions_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_account", "sessions", ["account"])
    op.create_index("ix_sessions_expires", "sessions", ["expires"])
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("session", sa.String(32), nullable=False),
        sa.Column("used", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["session"], ["sessions.id"], name="fk_refresh_tokens_session", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name="pk_refresh_tokens"),
    )
    op.create_index("ix_refresh_tokens_session", "refresh_tokens", ["session"])
    op.create_table(
        "recovery_codes",
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_recovery_codes_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account", "hash", name="pk_recovery_codes"),
    )
    op.create_table(
        "password_links",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_password_links_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name="pk_password_links"),
    )
    op.create_index("ix_password_links_account", "password_links", ["account"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("actions", sa.Text(), nullable=False),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("used", sa.Double(), nullable=False),
        sa.Column("revoked", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )


def downgrade() -> None:
    for table in ("api_keys", "password_links", "recovery_codes", "refresh_tokens", "sessions"):
        op.drop_table(table)
    for table in ("role_grants", "camera_group_members", "camera_groups"):
        op.drop_table(table)
    with op.batch_alter_table("accounts") as batch:
        batch.drop_index("ix_accounts_issuer_subject")
        batch.drop_constraint("fk_accounts_role", type_="foreignkey")
        for column in ("revision", "subject", "issuer", "totp_step", "totp_on", "totp_secret"):
            batch.drop_column(column)
        for column in ("last_login", "disabled", "full_name"):
            batch.drop_column(column)
    op.drop_table("roles")
