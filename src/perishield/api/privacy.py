"""Privacy masks for callers who may not see what they cover: what is masked for them, and what is refused.

Pictures, alarm clips and exports are masked; live view is where the settings say so. Playback and segments of a camera
with masks are refused: they are passed on as the camera encoded them.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import msgspec

from perishield.alarms.bundle import Piece
from perishield.api.problems import ProblemError
from perishield.api.sight import sees, sees_everything
from perishield.live.masks_file import write_masks
from perishield.log import Log
from perishield.model.alarms import Alarm
from perishield.model.evidence import Evidence, EvidenceKind
from perishield.store.alarms import get_alarm
from perishield.store.database import Database
from perishield.store.privacy import Masks, all_masks

log = Log("privacy")

_MOST_WAITING = 8
_STREAM = re.compile(r"~.*")
_SUFFIXES = (".annotated.jpg", ".jpg", ".mp4")


class Privacy:
    """The masks of all cameras. `folder`: where masked clips are kept, up to `most_bytes`.

    `video` False: clips and exports are refused instead of encoded anew; `export_s`: the longest masked export.
    `published`: a file of all masks, for the process that burns them into live video.
    """

    def __init__(
        self,
        database: Database,
        media: Path,
        folder: Path,
        *,
        video: bool = True,
        most_bytes: int = 1 << 30,
        export_s: float = 3600.0,
        published: Path | None = None,
    ) -> None:
        self._database = database
        self._media = media
        self._folder = folder
        self._video = video
        self._export_s = export_s
        self._published = published
        self._most_bytes = most_bytes
        self._masks: dict[str, Masks] = {}
        self._making: dict[str, asyncio.Task[Path]] = {}
        self._cancel = threading.Event()
        self._pictures = ThreadPoolExecutor(1, "masks")
        self._clips = ThreadPoolExecutor(1, "masked-clips")

    async def load(self) -> None:
        async with self._database.read() as session:
            self._masks = await all_masks(session)
        await self._publish()

    async def close(self) -> None:
        self._cancel.set()
        for task in self._making.values():
            task.cancel()
        for worker in (self._pictures, self._clips):
            await asyncio.to_thread(worker.shutdown, wait=True, cancel_futures=True)

    def of(self, camera: str) -> Masks:
        """All masks of a camera, or of a stream of it."""
        return self._masks.get(_STREAM.sub("", camera), ())

    def hiding(self, camera: str) -> Masks:
        """Those that count for who asks."""
        return () if sees(_STREAM.sub("", camera)) else self.of(camera)

    async def kept(self, camera: str, masks: Masks) -> None:
        """They were stored."""
        self._masks = {**self._masks, camera: masks}
        await self._publish()

    def to_burn(self, camera: str, seconds: float) -> Masks:
        """The masks to burn into an export of that length for who asks. Raises ProblemError (403, `masked`; 422)."""
        masks = self.hiding(camera)
        if not masks:
            return ()
        if not self._video or not self._export_s:
            self.refuse(camera, "an export")
        if seconds > self._export_s:
            raise ProblemError(
                422,
                f"camera {camera!r}: has privacy masks, and burning them in takes long: at most "
                f"{self._export_s / 60:g} minutes at once ([playback] masked_minutes)",
                code="too_long",
                field="to",
                most_s=self._export_s,
            )
        return masks

    def refuse(self, camera: str, what: str) -> None:
        """Raises ProblemError (403, `masked`) where something of that camera is hidden from who asks."""
        if self.hiding(camera):
            raise ProblemError(
                403,
                f"camera {camera!r}: has privacy masks, and {what} cannot be masked; ask somebody with the permission "
                "'privacy.unmask', or look at its pictures and alarm clips, which are masked",
                code="masked",
                camera=camera,
            )

    async def picture(self, camera: str, jpeg: bytes) -> bytes:
        """As who asks may see it. Raises StorageError (`corrupt`)."""
        masks = self.hiding(camera)
        return await self._masked(jpeg, masks) if masks else jpeg

    async def camera_of(self, path: str) -> str | None:
        """Whose footage or evidence lies at this path of the media root; None where nobody knows."""
        parts = path.split("/")
        if parts[0] != "evidence":
            return _STREAM.sub("", parts[1]) if len(parts) > 2 else None
        name = parts[-1]
        for suffix in _SUFFIXES:
            if name.endswith(suffix):
                async with self._database.read() as session:
                    alarm = await get_alarm(session, name.removesuffix(suffix))
                if alarm is not None:
                    return alarm.event.camera
        return None

    async def file(self, path: str, found: Path) -> bytes | Path:
        """What who asks gets of a file below the media root: itself, a masked picture's bytes, or a masked clip.

        Raises ProblemError (403) for what cannot be masked, 503 while there is too much to do; StorageError.
        """
        if sees_everything() or not self._masks:
            return found
        camera = await self.camera_of(path)
        if camera is None:
            raise ProblemError(404, "this file belongs to no alarm or camera that is known", code="not_found")
        masks = self.hiding(camera)
        if not masks:
            return found
        if found.suffix == ".jpg":
            return await self._masked(await asyncio.to_thread(found.read_bytes), masks)
        if not path.startswith("evidence/"):
            self.refuse(camera, "recorded video")
        return await self.clip(camera, found, masks)

    async def clip(self, camera: str, source: Path, masks: Masks) -> Path:
        """A masked copy of an alarm's clip. Errors as above."""
        if not self._video:
            raise ProblemError(
                403,
                f"camera {camera!r}: has privacy masks, and masking of clips is switched off ([alarms] masked_video); "
                "ask somebody with the permission 'privacy.unmask'",
                code="masked",
                camera=camera,
            )
        status = await asyncio.to_thread(source.stat)
        mark = f"{source.name}:{status.st_size}:{status.st_mtime_ns}:".encode() + msgspec.json.encode(masks)
        name = sha256(mark).hexdigest()[:40]
        target = self._folder / f"{name}.mp4"
        if await asyncio.to_thread(_touched, target):
            return target
        if name not in self._making:
            if len(self._making) >= _MOST_WAITING:
                raise ProblemError(
                    503,
                    "too many clips are being masked; try again soon",
                    code="busy",
                    headers={"Retry-After": "5"},
                    why="clips_masking",
                )
            # Whoever asks for the same clip meanwhile waits for the same work, also when the first asker leaves.
            task = self._making[name] = asyncio.create_task(self._make(source, target, masks))
            task.add_done_callback(lambda done: (self._making.pop(name, None), done.cancelled() or done.exception()))
        return await asyncio.shield(self._making[name])

    async def piece(self, alarm: Alarm, evidence: Evidence) -> Piece | None:
        """A masked copy of evidence for an archive, whoever asks; None where the camera has no masks."""
        masks = self.of(alarm.event.camera)
        if not masks:
            return None
        source = self._media / evidence.path
        name = f"alarms/{alarm.id}/{evidence.kind.value}{source.suffix}"
        if evidence.kind is EvidenceKind.CLIP:
            path = await self.clip(alarm.event.camera, source, masks)
            return Piece(name=name, path=path, size=(await asyncio.to_thread(path.stat)).st_size)
        return Piece(name=name, data=await self._masked(await asyncio.to_thread(source.read_bytes), masks))

    async def _publish(self) -> None:
        if self._published is not None:
            await asyncio.to_thread(write_masks, self._published, self._masks)

    def _masked(self, jpeg: bytes, masks: Masks) -> Awaitable[bytes]:
        from perishield.vision.privacy import masked_jpeg

        return asyncio.get_running_loop().run_in_executor(self._pictures, masked_jpeg, jpeg, masks)

    async def _make(self, source: Path, target: Path, masks: Masks) -> Path:
        await asyncio.get_running_loop().run_in_executor(self._clips, self._encode, source, target, masks)
        return target

    def _encode(self, source: Path, target: Path, masks: Masks) -> None:
        from perishield.vision.privacy import masked_video

        target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        masked_video(source, target, masks, self._cancel)
        self._sweep(target)

    def _sweep(self, newest: Path) -> None:
        """Those that nobody has asked for longest give way."""
        entries = sorted(
            (entry.stat().st_mtime, entry.stat().st_size, Path(entry.path)) for entry in os.scandir(self._folder)
        )
        total = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if total <= self._most_bytes:
                break
            if path != newest:
                path.unlink(missing_ok=True)
                total -= size


def _touched(path: Path) -> bool:
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True
