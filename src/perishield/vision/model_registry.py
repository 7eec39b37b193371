"""Versions of networks side by side, which of them is in use, and who chose it. Files are the truth:

    NAME@VERSION.onnx          the network
    NAME@VERSION.card.toml     what its owner declares (or .card.json)
    NAME@VERSION.record.json   its hash, when it came, and what its self-test said
    choice.json                the enabled ones, the newest last, and the history

Files without `@` come from the catalogue or by hand; they can be enabled, too. The detector `auto` obeys choice.json,
and the vision process takes up a change while it runs.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from perishield.model.errors import ModelError
from perishield.vision.model_card import MOST_BYTES, parse_card
from perishield.vision.self_test import TestResult, try_apart

CHOICE = "choice.json"
_HISTORY = 500
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One version. `wall`: Unix seconds of its coming; `test` is None for files laid down by hand."""

    name: str
    version: str
    file: str
    size: int
    enabled: bool
    sha256: str = ""
    wall: float = 0.0
    who: str = ""
    licence: str = ""
    source: str = ""
    test: TestResult | None = None

    @property
    def id(self) -> str:
        return self.file.removesuffix(".onnx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of the history. `action`: add, test, enable, rollback, remove."""

    action: str
    model: str
    who: str
    wall: float


class ModelRegistry:
    """The folder of models. Methods block; several processes may use one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def installed(self) -> list[Installed]:
        current = self.current()
        if not self.folder.is_dir():
            return []
        return [self._row(path, current) for path in sorted(self.folder.glob("*.onnx")) if path.name[0] != "."]

    def find(self, model: str) -> Installed:
        """By `NAME@VERSION`, or by the name of the only version. Raises ModelError (`model_missing`)."""
        rows = self.installed()
        found = [row for row in rows if row.id == model] or [row for row in rows if row.name == model]
        if len(found) == 1:
            return found[0]
        if found:
            raise ModelError(
                f"model {model!r}: there are several versions; say one of {', '.join(row.id for row in found)}",
                code="model_missing",
            )
        raise ModelError(f"model {model!r}: not installed; see `perishield models list`", code="model_missing")

    def current(self) -> str:
        """`NAME@VERSION` of what is enabled, or empty."""
        enabled = self._choice()["enabled"]
        return str(enabled[-1]) if enabled else ""

    def history(self) -> list[Change]:
        """Newest first."""
        return [Change(**line) for line in reversed(self._choice()["history"])]

    def add(self, source: Path, *, who: str, name: str = "", version: str = "", card: Path | None = None) -> Installed:
        """Copy a network in, try it in a process of its own, and keep it only where it passes; it is not enabled.

        Raises ModelError: the reason for its refusal (`model_foreign`, `model_card`, `model_selftest`, ...).
        """
        if not source.is_file():
            raise ModelError(f"{source}: there is no such file", code="model_missing")
        data = card.read_bytes()[: MOST_BYTES + 1] if card is not None else b""
        stated = parse_card(data, card.name) if card is not None else None
        name = name or source.stem.partition("@")[0].lower()
        self.folder.mkdir(parents=True, exist_ok=True)
        # Files with a leading dot are listed nowhere.
        draft = self.folder / f".{os.getpid()}-{time.monotonic_ns()}.onnx"
        draft_card = draft.with_suffix(f".card{card.suffix}") if card is not None else None
        try:
            digest = _copy(source, draft)
            version = version or (stated.version if stated else "") or digest[:8]
            for word, what in ((name, "name"), (version, "version")):
                if not _NAME.fullmatch(word):
                    raise ModelError(
                        f"model {what} {word!r}: small letters, digits, dots, dashes and underscores only",
                        code="model_name",
                    )
            key = f"{name}@{version}"
            target = self.folder / f"{key}.onnx"
            if target.exists():
                raise ModelError(f"model {key}: is installed already; give it another version", code="model_exists")
            if draft_card is not None:
                draft_card.write_bytes(data)
            test = try_apart(draft)
            record = {"sha256": digest, "wall": time.time(), "who": who, "test": asdict(test)}
            record |= {"licence": stated.licence, "source": stated.source} if stated else {}
            with self._changing() as choice:
                if target.exists():
                    raise ModelError(f"model {key}: is installed already", code="model_exists")
                _write(self.folder / f"{key}.record.json", record)
                if draft_card is not None:
                    draft_card.replace(self.folder / f"{key}.card{draft_card.suffix}")
                draft.replace(target)
                _note(choice, "add", key, who)
        except ModelError as error:
            raise ModelError(error.message.replace(draft.name, source.name), code=error.code, **error.params) from None
        except OSError as error:
            raise ModelError(
                f"model {source.name}: cannot be installed: {error.strerror}", code="model_store"
            ) from error
        finally:
            draft.unlink(missing_ok=True)
            if draft_card is not None:
                draft_card.unlink(missing_ok=True)
        return self.find(key)

    def enable(self, model: str, *, who: str) -> Installed:
        """Make a version the one that `auto` sees with, once it has passed its test anew. Raises ModelError."""
        row = self.find(model)
        self.check(row)
        try_apart(self.folder / row.file)
        with self._changing() as choice:
            if not choice["enabled"] or choice["enabled"][-1] != row.id:
                choice["enabled"] = [*choice["enabled"], row.id][-_HISTORY:]
                _note(choice, "enable", row.id, who)
        return self.find(row.id)

    def try_anew(self, model: str, *, who: str) -> Installed:
        """Repeat a version's self-test where it lies, and record what it says. Raises ModelError."""
        row = self.find(model)
        self.check(row)
        result = try_apart(self.folder / row.file)
        with self._changing() as choice:
            if not (self.folder / row.file).is_file():
                raise ModelError(f"model {row.id}: was removed meanwhile", code="model_missing")
            record = self.folder / f"{row.id}.record.json"
            _write(record, {**_read(record), "test": asdict(result)})
            _note(choice, "test", row.id, who)
        return self.find(row.id)

    def roll_back(self, *, who: str) -> str:
        """Back to what was enabled before; returns its id, empty for none. Raises ModelError (`model_missing`)."""
        with self._changing() as choice:
            if not choice["enabled"]:
                raise ModelError("no model was enabled, so there is nothing to go back to", code="model_missing")
            choice["enabled"] = choice["enabled"][:-1]
            while choice["enabled"] and not (self.folder / f"{choice['enabled'][-1]}.onnx").is_file():
                choice["enabled"].pop()
            current = choice["enabled"][-1] if choice["enabled"] else ""
            _note(choice, "rollback", current, who)
        return str(current)

    def remove(self, model: str, *, who: str) -> None:
        """Delete a version that is not in use. Raises ModelError (`model_missing`, `model_in_use`)."""
        row = self.find(model)
        with self._changing() as choice:
            if choice["enabled"] and choice["enabled"][-1] == row.id:
                raise ModelError(f"model {row.id}: is in use; enable another first", code="model_in_use")
            for suffix in (".onnx", ".card.toml", ".card.json", ".record.json"):
                (self.folder / f"{row.id}{suffix}").unlink(missing_ok=True)
            choice["enabled"] = [key for key in choice["enabled"] if key != row.id]
            _note(choice, "remove", row.id, who)

    def check(self, row: Installed) -> None:
        """Compare a version's file with the hash of its record. Raises ModelError (`model_corrupt`)."""
        from perishield.vision.onnx_model import file_digest

        if row.sha256 and file_digest(self.folder / row.file) != row.sha256:
            raise ModelError(
                f"model {row.id}: its file is not the one that was added; add it anew", code="model_corrupt"
            )

    def stamp(self) -> tuple[int, int]:
        """Changes whenever the choice does."""
        try:
            status = (self.folder / CHOICE).stat()
        except OSError:
            return 0, 0
        return status.st_mtime_ns, status.st_ino

    def _row(self, path: Path, current: str) -> Installed:
        key = path.name.removesuffix(".onnx")
        name, _, version = key.partition("@")
        record: dict[str, Any] = _read(path.with_name(f"{key}.record.json"))
        test = record.get("test")
        try:
            result = TestResult(**{**test, "classes": tuple(test["classes"])}) if test else None
        except (TypeError, KeyError):
            result = None
        return Installed(
            name=name,
            version=version,
            file=path.name,
            size=path.stat().st_size,
            enabled=key == current,
            sha256=str(record.get("sha256", "")),
            wall=float(record.get("wall", 0.0)),
            who=str(record.get("who", "")),
            licence=str(record.get("licence", "")),
            source=str(record.get("source", "")),
            test=result,
        )

    def _choice(self) -> dict[str, list[Any]]:
        found = _read(self.folder / CHOICE)
        return {"enabled": list(found.get("enabled", [])), "history": list(found.get("history", []))}

    @contextmanager
    def _changing(self) -> Iterator[dict[str, list[Any]]]:
        """The choice under a lock; written whole when the block ends well."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".choice.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            choice = self._choice()
            yield choice
            choice["history"] = choice["history"][-_HISTORY:]
            _write(self.folder / CHOICE, choice)


def _note(choice: dict[str, list[Any]], action: str, model: str, who: str) -> None:
    choice["history"].append(asdict(Change(action=action, model=model, who=who, wall=time.time())))


def _copy(source: Path, target: Path) -> str:
    import hashlib

    digest = hashlib.sha256()
    with source.open("rb") as file, target.open("wb") as out:
        while block := file.read(_BLOCK):
            digest.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, data: object) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    with draft.open("w") as file:
        json.dump(data, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
