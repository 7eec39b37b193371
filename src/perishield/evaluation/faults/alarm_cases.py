"""Alarms through a receiver that misbehaves, while what carries them is killed, loses its database, or has no room."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perishield.evaluation.faults.alarm_stand import AlarmStand
from perishield.evaluation.faults.mounts import small_disk
from perishield.evaluation.faults.stand import demand, wait_until
from perishield.evaluation.private_postgresql import PrivatePostgreSQL

_FINISH_S = 900.0
_DISK_MIB = 48


def kills(folder: Path, *, alarms: int, times: int) -> dict[str, Any]:
    """The server killed with SIGKILL again and again: nothing lost, doubled, or out of a camera's order."""
    stand = AlarmStand(folder, alarms, a_second=_rate(alarms, times, 3.5))
    with stand.running():
        _kill(stand, times)
        return _kept(stand, kills=times)


def kills_on_postgresql(folder: Path, *, alarms: int, times: int) -> dict[str, Any]:
    """The same on PostgreSQL, which is torn down itself every third time."""
    with PrivatePostgreSQL() as postgres:
        stand = AlarmStand(folder, alarms, a_second=_rate(alarms, times, 3.5), database_url=postgres.url)
        with stand.running():
            restarts = 0

            def tear_down(number: int) -> None:
                nonlocal restarts
                if number % 3 == 0:
                    postgres.stop()
                    time.sleep(0.5)
                    postgres.start()
                    restarts += 1

            _kill(stand, times, tear_down)
            return _kept(stand, kills=times, restarts=restarts)


def database_restarted(folder: Path, *, alarms: int, times: int) -> dict[str, Any]:
    """PostgreSQL torn down and started again under a server that goes on running."""
    times = max(times // 3, 2)
    moments = random.Random(13)
    with PrivatePostgreSQL() as postgres:
        stand = AlarmStand(folder, alarms, a_second=_rate(alarms, times, 3.0), database_url=postgres.url)
        with stand.running():
            for _ in range(times):
                time.sleep(moments.uniform(0.5, 2.0))
                postgres.stop()
                time.sleep(moments.uniform(0.2, 2.0))
                postgres.start()
                demand(stand.alive, f"the server died with its database: {stand.log()[-300:]}")
            return _kept(stand, restarts=times)


def disk_full(folder: Path, *, alarms: int, times: int) -> dict[str, Any]:
    """The disk of spool and database full, several times: what was not kept is tried again, what was kept arrives."""
    times = max(times // 10, 2)
    with small_disk(folder / "small", _DISK_MIB) as disk:
        stand = AlarmStand(folder, alarms, a_second=_rate(alarms, times, 4.0), data=disk / "data")
        with stand.running():
            for _ in range(times):
                time.sleep(1.0)
                _fill(disk / "ballast")
                time.sleep(3.0)
                demand(stand.alive, f"the server died of a full disk: {stand.log()[-300:]}")
                (disk / "ballast").unlink()
            demand("disk" in stand.log(), "the server did not say that its disk is full")
            return _kept(stand, times_full=times)


def _rate(alarms: int, times: int, seconds: float) -> float:
    """Events a second, so that the faults fall among them."""
    return max(alarms / (times * seconds), 2.0)


def _kill(stand: AlarmStand, times: int, between: Callable[[int], None] | None = None) -> None:
    moments = random.Random(7)
    for number in range(times):
        time.sleep(moments.uniform(0.2, 2.0))
        stand.kill()
        if between:
            between(number)
        stand.start()


def _fill(ballast: Path) -> None:
    """To the last byte."""
    size = 1 << 16
    with ballast.open("wb", buffering=0) as file:
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2


def _kept(stand: AlarmStand, **figures: Any) -> dict[str, Any]:
    wait_until(lambda: stand.taken() > 0, 60, "the first alarm arrives")
    found = stand.finish(_FINISH_S)
    for promise in ("lost", "doubled", "out_of_order", "dead", "left_in_spool"):
        demand(found[promise] == 0, f"{promise}: {found[promise]} of {found['alarms']} alarms")
    return {**figures, "server_starts": stand.starts, **found}
