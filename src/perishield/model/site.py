"""Cameras and what is asked of them. Lean: the ingest process imports this."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

CAMERA_ID = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
"""Lower-case letters, digits, dash and underscore: it is a folder's name and part of addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """How a camera is watched. `fps` is the rate at which pictures are analysed while something moves."""

    enabled: bool = True
    fps: float = 6.0
    min_score: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A device and its settings. `url` carries no credentials; they are kept beside it and masked everywhere."""

    id: str
    name: str
    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    enabled: bool = True
    record: bool = True
    """True: its segments are kept by the retention rules; False: they pass through the temporary pool."""
    analysis: Analysis = Analysis()
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What every worker needs to know, published whole whenever it changes.

    `rules` stay plain dictionaries here, so that the ingest process need not know them (`rules.rule_from_dict`).
    """

    revision: int
    cameras: tuple[Camera, ...]
    rules: tuple[dict[str, Any], ...] = ()
