"""What computes: ONNX Runtime's execution providers, in the order in which they are tried on this host.

TensorRT and CUDA come with the `onnxruntime-gpu` wheel, OpenVINO with `onnxruntime-openvino`; each takes the place
of the plain wheel, and the three cannot be installed beside one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perishield.log import Log
from perishield.model.errors import ModelError

log = Log("vision")

PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""By the names of the setting, in the order that `auto` prefers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """`provider`: `auto` or a key of PROVIDERS. `gpu_mem_mib` bounds what one network may take on a GPU.

    `cache_dir`: where TensorRT keeps the engines it built; None: it builds them at each start. `arena`: keep memory
    between runs, faster; without it every run gives its memory back.
    """

    threads: int = 1
    provider: str = "auto"
    gpu_mem_mib: int = 2048
    cache_dir: Path | None = None
    arena: bool = True


def order(setting: str, available: Sequence[str]) -> tuple[str, ...]:
    """Names of PROVIDERS to try, best first, the CPU always last. Raises ModelError (`model_provider`).

    >>> order("auto", ["CUDAExecutionProvider", "CPUExecutionProvider"])
    ('cuda', 'cpu')
    """
    if setting != "auto" and setting not in PROVIDERS:
        raise ModelError(
            f"[vision] provider {setting!r} is unknown; choose auto, {', '.join(PROVIDERS)}", code="model_provider"
        )
    wanted = tuple(PROVIDERS) if setting == "auto" else (setting, "cpu")
    there = [name for name in dict.fromkeys(wanted) if PROVIDERS[name] in available or name == "cpu"]
    if setting not in ("auto", *there):
        log.warning(
            "vision.provider_missing",
            provider=setting,
            message=f"this host's ONNX Runtime has no {PROVIDERS[setting]}; the CPU computes instead",
        )
    return tuple(there)


def provider_options(name: str, runtime: Runtime) -> dict[str, str]:
    """ONNX Runtime's own options for one provider."""
    memory = str(runtime.gpu_mem_mib * 1024 * 1024)
    if name == "cuda":
        return {"gpu_mem_limit": memory, "arena_extend_strategy": "kSameAsRequested"}
    if name == "tensorrt":
        options = {"trt_max_workspace_size": memory, "trt_fp16_enable": "1"}
        if runtime.cache_dir is not None:
            cache = str(runtime.cache_dir)
            options |= {"trt_engine_cache_enable": "1", "trt_engine_cache_path": cache, "trt_timing_cache_enable": "1"}
        return options
    if name == "openvino":
        return {"device_type": "CPU", "num_of_threads": str(max(1, runtime.threads))}
    return {"arena_extend_strategy": "kSameAsRequested"}


def open_session(path: Path, runtime: Runtime) -> tuple[Any, str]:
    """A session and the name of what computes it: the first provider that takes the network.

    Raises ModelError (`model_missing`, `model_corrupt`, `model_provider`).
    """
    if not path.is_file():
        raise ModelError(
            f"model {path.name}: there is no such file; see `perishield models list`", code="model_missing"
        )
    import onnxruntime

    names = order(runtime.provider, onnxruntime.get_available_providers())
    reason = "unknown reason"
    for name in names:
        if name == "tensorrt" and runtime.cache_dir is not None:
            runtime.cache_dir.mkdir(parents=True, exist_ok=True)
        chain = [(PROVIDERS[name], provider_options(name, runtime))]
        if name != "cpu":
            chain.append((PROVIDERS["cpu"], provider_options("cpu", runtime)))
        try:
            session = onnxruntime.InferenceSession(str(path), _options(runtime), providers=chain)
        except Exception as error:  # noqa: BLE001 (onnxruntime raises whatever it likes)
            reason = first_line(error)
            if name != names[-1]:
                log.warning("vision.provider_failed", model=path.name, provider=name, message=reason)
            continue
        # ONNX Runtime falls back by itself, too, and only says so here.
        used = session.get_providers()
        if PROVIDERS[name] not in used:
            log.warning("vision.provider_failed", model=path.name, provider=name, message="it could not be set up")
            return session, "cpu"
        return session, name
    raise ModelError(f"model {path.name}: cannot be loaded: {reason}; fetch it again", code="model_corrupt")


def _options(runtime: Runtime) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, runtime.threads)
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = runtime.arena
    options.enable_mem_pattern = runtime.arena
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    return options


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["unknown reason"])[0][:200]
