"""`perishield storage`: how the targets are, whether they work, and folders made ready to be one."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import typer

from perishield.cli.output import print_json, print_table
from perishield.model.errors import ConfigError, StorageError
from perishield.model.media import SegmentRow
from perishield.model.storage import StorageTarget, TargetKind
from perishield.recording.storage.folder_target import prepare_folder
from perishield.recording.storage.target import Target
from perishield.recording.storage.targets import open_target
from perishield.settings import Settings, load
from perishield.settings_storage import storage_plan
from perishield.streams.layout import RECORDINGS, hour_folder

_PROBE_BYTES = 300_000
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried with a target. `state`: ok, note or bad."""

    target: str
    step: str
    state: str
    says: str
    ms: float


def status(data: Path | None, config: Path | None, *, as_json: bool) -> None:
    """Ask the running node. Exit code 1 when a target fails or footage was lost."""
    settings = load(config)
    body = _ask(settings, (data or settings.data.dir) / "run" / "token")
    if as_json:
        print_json(body)
    else:
        rows = [
            [
                target["name"],
                target["tier"],
                target["state"],
                f"{target['copies']}, {_size(target['used'])}",
                f"{target['waiting']}, {_size(target['waiting_bytes'])}",
                target["lost"],
                "-" if target["free"] is None else _size(target["free"]),
            ]
            for target in body["targets"]
        ]
        print_table(("target", "tier", "state", "copies", "waiting", "lost", "free"), rows)
        for target in body["targets"]:
            if target["message"]:
                typer.echo(target["message"])
        done = body["progress"]
        typer.echo(
            f"since the start: {done['copied']} copies ({_size(done['bytes'])}), {done['failed']} attempts failed, "
            f"{done['moved']} segments moved off this disk, {done['expired']} at the end of their time"
        )
    if any(target["state"] == "failing" or target["lost"] for target in body["targets"]):
        raise typer.Exit(1)


def test(name: str, config: Path | None, *, as_json: bool) -> None:
    """Write, read back, read a part, delete. Exit code 1 where something does not work."""
    settings = load(config)
    steps = [step for spec in _chosen(settings, name) for step in try_target(spec)]
    if as_json:
        print_json([asdict(step) for step in steps])
    else:
        print_table(
            ("target", "step", "state", "ms", "says"),
            [(step.target, step.step, step.state, step.ms, step.says) for step in steps],
        )
    if any(step.state == "bad" for step in steps):
        raise typer.Exit(1)


def prepare(name: str, config: Path | None) -> None:
    """Mark the folder of a local or nas target as ours. Raises StorageError."""
    (spec,) = _chosen(load(config), name)
    if spec.kind not in (TargetKind.LOCAL, TargetKind.NAS):
        raise ConfigError(f"storage '{name}': only folders are marked; this one is of kind {spec.kind.value}")
    identity = prepare_folder(spec)
    same = os.stat(spec.path).st_dev == os.stat("/").st_dev  # noqa: PTH116
    if same and spec.kind is TargetKind.NAS:
        typer.echo(f"note: {spec.path} lies on the root disk; is the share mounted?", err=True)
    typer.echo(f"{spec.path} is marked as ours ({identity})")


def try_target(spec: StorageTarget) -> Iterator[Step]:
    """What a copy needs, step by step; ends at the first that fails."""
    row = _probe_row()
    content = os.urandom(_PROBE_BYTES)
    sha256 = hashlib.sha256(content).hexdigest()

    def timed(step: str, work: Callable[[], str]) -> Step:
        began = time.monotonic()
        try:
            says, state = work(), "ok"
        except StorageError as error:
            says, state = str(error), "bad"
        return Step(spec.name, step, state, says, round(1000 * (time.monotonic() - began), 1))

    def opened() -> Target:
        return open_target(spec)

    try:
        target = opened()
    except (StorageError, OSError) as error:
        yield Step(spec.name, "open", "bad", str(error), 0.0)
        return

    def check() -> str:
        space = target.check()
        return "answers" if space.free is None else f"{_size(space.free)} of {_size(space.total or 0)} free"

    def write() -> str:
        target.put(row, _Probe(content), sha256, lambda size: None)
        return f"{_PROBE_BYTES} bytes"

    def read() -> str:
        if hashlib.sha256(b"".join(target.pieces(row))).hexdigest() != sha256:
            raise StorageError("reading back gives other bytes", code="corrupt")
        return "the same bytes"

    def part() -> str:
        if target.read(row, 1000, 500) != content[1000:1500]:
            raise StorageError("a range gives other bytes", code="corrupt")
        return "the same bytes"

    def remove() -> str:
        target.remove(row)
        if target.size(row) is not None:
            raise StorageError("it is still there", code="storage_refused")
        return "gone"

    steps: list[tuple[str, Callable[[], str]]] = [("reach", check)]
    if spec.kind is not TargetKind.NVR_HTTP:
        steps += [("write", write), ("read back", read), ("read a part", part), ("delete", remove)]
    try:
        for name, work in steps:
            step = timed(name, work)
            yield step
            if step.state == "bad":
                return
        if spec.kind is TargetKind.NVR_HTTP:
            yield Step(spec.name, "write", "note", "not tried: it takes real segments only, and keeps them", 0.0)
    finally:
        target.close()


class _Probe:
    def __init__(self, content: bytes) -> None:
        self.size = len(content)
        self._content = content

    def pieces(self) -> Iterator[bytes]:
        yield self._content


def _probe_row() -> SegmentRow:
    now = time.time()
    camera = f"storage-test-{os.getpid()}"
    path = f"{hour_folder(RECORDINGS, camera, now)}/{now:.0f}.mp4"
    return SegmentRow(
        camera=camera,
        pool=RECORDINGS,
        path=path,
        epoch=0,
        start=now,
        duration=0.0,
        size=_PROBE_BYTES,
        frames=0,
        stream_time=0,
        codec="",
        mime="",
        width=0,
        height=0,
        init_length=0,
        keyframes=(),
        complete=True,
    )


def _chosen(settings: Settings, name: str) -> list[StorageTarget]:
    targets = storage_plan(settings.storage).targets
    found = [spec for spec in targets if not name or spec.name == name]
    if not found:
        known = ", ".join(spec.name for spec in targets) or "none"
        raise ConfigError(f"there is no storage {name!r}; known are: {known}. Add it as [[storage.targets]]")
    return found


def _ask(settings: Settings, token: Path) -> dict[str, Any]:
    host = "127.0.0.1" if settings.server.host in ("0.0.0.0", "::", "") else settings.server.host  # noqa: S104
    address = f"http://{host}:{settings.server.port}/api/storage"
    try:
        headers = {"Authorization": f"Bearer {token.read_text().strip()}"}
        answer = httpx.get(address, headers=headers, timeout=_TIMEOUT_S, trust_env=False)
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body
    except (OSError, httpx.HTTPError, ValueError) as error:
        raise ConfigError(
            f"{address}: the node does not answer ({error}); start it by `perishield run`, or name its settings by -c"
        ) from None


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
