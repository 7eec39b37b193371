"""A process that makes one shadow run for the server: its order on stdin, the share done on stdout, the result a file.

It gives way to everything else on the host, and dies of SIGTERM wherever it is.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from perishield import log as logs
from perishield.bus.process import EXIT_CONFIG, read_config
from perishield.evaluation.shadow_plan import RealAlarm, ShadowPlan
from perishield.model.errors import ConfigError, PeriShieldError
from perishield.model.ground import GroundPlane
from perishield.model.rules import rule_from_dict, rule_to_dict
from perishield.model.site import Analysis

RESULT = "result.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowOrder:
    """`rules` and `real`: plain data of rules and of `RealAlarm`. `folder` takes pictures and result.

    `pieces`: of a picture that are looked at again (`[vision] pieces`).
    """

    media_dir: Path
    models_dir: Path
    folder: Path
    detector: str
    pieces: int
    camera: str
    start: float
    end: float
    analysis: Analysis
    ground: GroundPlane | None = None
    rules: tuple[dict[str, Any], ...]
    real: tuple[dict[str, Any], ...] = field(default_factory=tuple)

    @property
    def plan(self) -> ShadowPlan:
        """Raises RuleError."""
        return ShadowPlan(
            camera=self.camera,
            start=self.start,
            end=self.end,
            rules=tuple(rule_from_dict(rule) for rule in self.rules),
            analysis=self.analysis,
            ground=self.ground,
            pictures=self.folder,
        )


def order_for(
    plan: ShadowPlan,
    real: Sequence[RealAlarm],
    *,
    media_dir: Path,
    models_dir: Path,
    folder: Path,
    detector: str,
    pieces: int,
) -> ShadowOrder:
    """The order to carry out this plan on that host; its pictures go to `folder`."""
    return ShadowOrder(
        media_dir=media_dir,
        models_dir=models_dir,
        folder=folder,
        detector=detector,
        pieces=pieces,
        camera=plan.camera,
        start=plan.start,
        end=plan.end,
        analysis=plan.analysis,
        ground=plan.ground,
        rules=tuple(rule_to_dict(rule) for rule in plan.rules),
        real=tuple(asdict(one) for one in real),
    )


def work(order: ShadowOrder) -> dict[str, Any]:
    """Raises PeriShieldError."""
    from perishield.evaluation.shadow import Watch, shadow
    from perishield.vision.crops import with_pieces
    from perishield.vision.model_store import choose_detector

    detector = with_pieces(choose_detector(order.detector, order.models_dir, threads=1), order.pieces)
    real = [RealAlarm(**one) for one in order.real]
    return shadow(order.media_dir, order.plan, detector, real, Watch(progress=_tell))


def _tell(share: float) -> None:
    sys.stdout.write(f"{share:.4f}\n")
    sys.stdout.flush()


def main() -> int:
    """Entry point of the process."""
    # Small arrays only: threads of the linear algebra library would spin for nothing.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    logs.configure()
    try:
        order = read_config(ShadowOrder)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    from perishield.evaluation.shadow import give_way

    give_way()
    try:
        result = work(order)
    except PeriShieldError as error:
        result = {"code": error.code, "message": error.message}
    draft = order.folder / f"{RESULT}.part"
    draft.write_text(json.dumps(result), encoding="utf-8")
    draft.replace(order.folder / RESULT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
