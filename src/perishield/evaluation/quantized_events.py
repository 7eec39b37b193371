"""The events of labelled clips with a network and with its INT8 form: what boxes lost may or may not cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from perishield.evaluation.evaluate import Progress, evaluate


def compare_events(dataset: Path, networks: Sequence[Path], progress: Progress | None = None) -> list[dict[str, Any]]:
    """`events`, `found`, `recall` and `false_alarms` of each network, by `perishield eval`'s usual way.

    Raises DatasetError, ModelError.
    """
    rows = []
    for number, network in enumerate(networks):

        def told(share: float, done: int = number) -> None:
            if progress is not None:
                progress((done + share) / len(networks))

        rows.append(_row(evaluate(dataset, str(network), progress=told)))
    return rows


def _row(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: figures[name] for name in ("detector", "events", "found", "recall", "false_alarms", "cpu_s")}
