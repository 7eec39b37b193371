"""Who did what: one entry of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """`at`: Unix seconds. `actor`: account id, `machine`, `key:ID`, or empty for somebody unknown.

    `action` is what was done (`camera.change`, `alarm.dismiss`, `login.refused`, `export.download`); `kind` and
    `target` name what it was done to; `camera` is empty where no camera is concerned. `detail` never holds a secret.
    """

    at: float
    actor: str
    actor_name: str
    action: str
    kind: str = ""
    target: str = ""
    camera: str = ""
    address: str = ""
    request: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """What is chained."""
        return {
            "at": self.at,
            "actor": self.actor,
            "actor_name": self.actor_name,
            "action": self.action,
            "kind": self.kind,
            "target": self.target,
            "camera": self.camera,
            "address": self.address,
            "request": self.request,
            "detail": dict(self.detail),
        }
