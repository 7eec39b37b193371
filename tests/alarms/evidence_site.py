"""A site with real pictures and clips on a real database, for tests of evidence."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from perishield.alarms import bundle_layout as layout
from perishield.alarms.bundle import write_bundle
from perishield.alarms.bundle_draft import Order, draft_bundle
from perishield.alarms.clips import evidence_path
from perishield.alarms.evidence import EvidenceIntake
from perishield.alarms.intake import raise_alarm
from perishield.alarms.site_key import SiteKeys
from perishield.model.alarms import Alarm, ClipState, Event
from perishield.recording.export import Watch
from perishield.store.alarms import add_alarm, save_clip
from perishield.store.database import Database


def picture(width: int = 96, height: int = 64, seed: int = 1) -> bytes:
    """A textured JPEG."""
    pixels = np.random.default_rng(seed).integers(90, 160, (height, width, 3), np.uint8)
    return bytes(simplejpeg.encode_jpeg(pixels, quality=90, colorspace="RGB"))


@dataclass(slots=True)
class EvidenceSite:
    database: Database
    folder: Path
    make_event: Callable[..., Event]

    @property
    def media(self) -> Path:
        return self.folder / "media"

    @property
    def keys(self) -> SiteKeys:
        return SiteKeys(self.folder)

    async def alarm(self, name: str, *, raised: float | None = None, clip: bytes = b"", **fields: Any) -> Alarm:
        """One with a picture, taken in; with a clip, where `clip` is its bytes."""
        moment = time.time() if raised is None else raised
        event = replace(self.make_event(name, wall=moment, arrival=moment), **fields)
        alarm = raise_alarm(event, "Gate", moment)
        path = evidence_path(alarm, ".jpg")
        (self.media / path).parent.mkdir(parents=True, exist_ok=True)
        (self.media / path).write_bytes(picture())
        alarm = replace(alarm, event=replace(event, snapshot=path))
        async with self.database.write() as session:
            assert await add_alarm(session, alarm)
        if clip:
            path = evidence_path(alarm, ".mp4")
            (self.media / path).write_bytes(clip)
            alarm = replace(alarm, clip_state=ClipState.READY, clip=path, clip_start=moment - 5, clip_duration=10.0)
            async with self.database.write() as session:
                await save_clip(session, alarm)
        await EvidenceIntake(self.database, self.media).take_in(alarm)
        return alarm

    async def export(self, *alarms: str, name: str = "archive.zip", mask: Any = None) -> Path:
        order = Order(
            archive="archive", alarms=alarms, site="Site 门", by=layout.By(id="u1", name="Guard"), exported_at=1.79e9
        )
        draft = await draft_bundle(self.database, self.media, order, self.folder / "chain.part", Watch(), mask)
        target = self.folder / name
        write_bundle(target, draft, self.keys.current(), Watch())
        return target
