"""The folder of installed networks: what is there, fetching what the catalogue names, and choosing a detector."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from perishield.model.errors import ModelError, mask_url
from perishield.model.vision import MOTION
from perishield.vision.catalogue import CATALOGUE, CatalogueEntry, entry
from perishield.vision.model_registry import ModelRegistry
from perishield.vision.providers import Runtime

if TYPE_CHECKING:
    from perishield.vision.detector import Detector

Progress = Callable[[int, int], None]
"""Called with bytes so far and bytes in all."""

HINT = "no model is installed, so what moves is seen but not named; get one with `perishield models pull yolox-nano`"

_BLOCK = 65_536
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One network of the catalogue or of the folder. `known` is None for files that are not in the catalogue."""

    name: str
    file: str
    state: Literal["missing", "installed", "damaged"]
    size: int
    known: CatalogueEntry | None


def list_models(models_dir: Path, catalogue: Sequence[CatalogueEntry] = CATALOGUE) -> list[ModelRow]:
    """The catalogue, then whatever else lies in the folder. Sizes are compared, hashes are not (`verify`)."""
    rows = []
    for item in catalogue:
        path = models_dir / item.file
        size = path.stat().st_size if path.is_file() else -1
        state: Literal["missing", "installed", "damaged"] = (
            "missing" if size < 0 else "installed" if size == item.size else "damaged"
        )
        rows.append(ModelRow(name=item.name, file=item.file, state=state, size=item.size, known=item))
    named = {item.file for item in catalogue}
    if models_dir.is_dir():
        for path in sorted(models_dir.glob("*.onnx")):
            if path.name not in named:
                size = path.stat().st_size
                rows.append(ModelRow(name=path.stem, file=path.name, state="installed", size=size, known=None))
    return rows


def verify(models_dir: Path, catalogue: Sequence[CatalogueEntry] = CATALOGUE) -> list[ModelRow]:
    """As `list_models`, with every installed file's hash compared to the catalogue's."""
    rows = []
    for row in list_models(models_dir, catalogue):
        sound = row.known is None or row.state != "installed" or _digest(models_dir / row.file) == row.known.sha256
        state = row.state if sound else "damaged"
        rows.append(ModelRow(name=row.name, file=row.file, state=state, size=row.size, known=row.known))
    return rows


def pull(
    name: str,
    models_dir: Path,
    base_url: str | None = None,
    progress: Progress | None = None,
    catalogue: Sequence[CatalogueEntry] = CATALOGUE,
) -> Path:
    """Fetch a network of the catalogue; it appears in the folder only once its hash is right.

    `base_url`: a mirror that holds the files under their names here, such as `https://host/models/`. Plain HTTP is
    taken from this machine only. Raises ModelError (`model_missing`, `model_download`, `model_corrupt`).
    """
    item = next((item for item in catalogue if item.name == name), None)
    if item is None:
        known = ", ".join(item.name for item in catalogue)
        raise ModelError(f"model {name!r}: not in the catalogue; choose one of {known}", code="model_missing")
    address = item.address if base_url is None else f"{base_url.rstrip('/')}/{item.file}"
    _check_address(item.name, address)
    target = models_dir / item.file
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(prefix=f".{item.name}.", suffix=".part", dir=models_dir)
    except OSError as error:
        raise ModelError(
            f"model {item.name}: {models_dir} cannot be written: {error.strerror}; check its rights",
            code="model_download",
        ) from error
    part = Path(draft)
    try:
        with os.fdopen(descriptor, "wb") as file:
            digest = _fetch(item, address, file.write, progress)
            file.flush()
            os.fsync(file.fileno())
        if digest != item.sha256:
            raise ModelError(
                f"model {item.name}: what {mask_url(address)} sent is not the pinned file "
                f"(sha256 {digest[:12]}, not {item.sha256[:12]}); try again, or use another mirror",
                code="model_corrupt",
            )
        part.chmod(0o644)
        part.replace(target)
    except OSError as error:
        raise ModelError(
            f"model {item.name}: cannot be stored in {models_dir}: {error.strerror}; free some space",
            code="model_download",
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return target


def _fetch(item: CatalogueEntry, address: str, write: Callable[[bytes], object], progress: Progress | None) -> str:
    import httpx

    digest = hashlib.sha256()
    got = 0
    where = mask_url(address)
    try:
        with (
            httpx.Client(follow_redirects=True, max_redirects=5, timeout=_TIMEOUT_S) as client,
            client.stream("GET", address) as response,
        ):
            # A redirect must not lead where the catalogue's address may not.
            _check_address(item.name, str(response.url))
            if response.status_code != 200:
                raise ModelError(
                    f"model {item.name}: {where} answered {response.status_code}; check the address or try later",
                    code="model_download",
                )
            for block in response.iter_bytes(_BLOCK):
                got += len(block)
                if got > item.size:
                    raise ModelError(
                        f"model {item.name}: {where} sends more than the {item.size} bytes of the pinned file; "
                        "use another mirror",
                        code="model_corrupt",
                    )
                digest.update(block)
                write(block)
                if progress is not None:
                    progress(got, item.size)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ModelError(
            f"model {item.name}: cannot be fetched from {where}: {str(error) or type(error).__name__}; "
            "check the network, or copy the file into the models folder",
            code="model_download",
        ) from error
    if got != item.size:
        raise ModelError(f"model {item.name}: {where} sent {got} of {item.size} bytes; try again", code="model_corrupt")
    return digest.hexdigest()


def _check_address(name: str, address: str) -> None:
    parts = urlsplit(address)
    local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ModelError(
            f"model {name}: {mask_url(address)} is not an https address; models are fetched over https only",
            code="model_download",
        )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def choose_detector(setting: str, models_dir: Path, *, threads: int = 1, runtime: Runtime | None = None) -> Detector:
    """The detector that a setting asks for.

    `auto`: the version enabled in the registry, else the first installed network of the catalogue, else motion.
    `motion`: that. Anything else: a file's path, or the name of a network in the folder. Raises ModelError; a caller
    that must not be blind falls back to `motion`.
    """
    if setting == MOTION:
        return _motion()
    if setting == "auto":
        enabled = ModelRegistry(models_dir).current()
        installed = [item.file for item in CATALOGUE if (models_dir / item.file).is_file()]
        if not enabled and not installed:
            return _motion()
        path = models_dir / (f"{enabled}.onnx" if enabled else installed[0])
        if enabled and path.is_file():
            registry = ModelRegistry(models_dir)
            registry.check(registry.find(enabled))
    else:
        path = _named(setting, models_dir)
    item = entry(path.stem)
    if item is not None and path.parent == models_dir and _digest(path) != item.sha256:
        raise ModelError(
            f"model {item.name}: {path.name} is damaged; fetch it again with `perishield models pull {item.name}`",
            code="model_corrupt",
        )
    from perishield.vision.onnx_model import OnnxDetector

    return OnnxDetector(path, runtime=runtime or Runtime(threads=threads))


def _named(setting: str, models_dir: Path) -> Path:
    stated = Path(setting)
    candidates = [stated, models_dir / setting, models_dir / f"{setting}.onnx"]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        way_out = (
            f"get it with `perishield models pull {setting}`"
            if entry(setting) is not None
            else "see `perishield models list`"
        )
        raise ModelError(f"model {setting!r}: no such file or installed model; {way_out}", code="model_missing")
    return found


def _motion() -> Detector:
    from perishield.vision.motion import MotionDetector

    return MotionDetector()
