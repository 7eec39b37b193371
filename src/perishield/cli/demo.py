"""`perishield demo`: the demo site by itself, and its score without a console."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perishield import log
from perishield.cli import serve
from perishield.cli.output import notes, print_figures, print_json, progress
from perishield.evaluation import alarm_watch
from perishield.evaluation.demo_score import HeardAlarm, score
from perishield.model.errors import PeriShieldError
from perishield.roles import node

SETTLE_S = 120.0
"""How long the cameras may take to be live."""
GRACE_S = 4.0
"""How long alarms of the last climb are waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    headless: bool
    seconds: float
    detector: str
    data: Path | None
    port: int
    config: Path | None
    as_json: bool


def run(options: DemoOptions) -> None:
    with ExitStack() as stack:
        data = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perishield-demo-")))
        overrides = serve.Overrides(config=options.config, port=options.port, data=data, demo=True)
        settings = serve.settle(overrides)
        vision = {"detector": options.detector} if options.detector else {}
        quiet = {"level": "warning"} if options.headless and settings.log.level == "info" else {}
        settings = settings.model_copy(
            update={
                "demo": settings.demo.model_copy(update={"rtsp_port": serve.demo_port(data)}),
                "vision": settings.vision.model_copy(update=vision),
                "log": settings.log.model_copy(update=quiet),
            }
        )
        log.configure(settings.log.level, settings.log.format)
        node.prepare(settings)
        stack.enter_context(serve.owned(settings.data.dir))
        demo = serve.demo_of(settings)
        if demo is None:
            raise PeriShieldError(f"data folder {data}: has cameras of its own; `perishield demo` wants an empty one")
        plan = node.NodePlan(settings=settings, demo=demo)
        if not options.headless:
            sys.exit(asyncio.run(node.run(plan, on_serving=lambda: serve.welcome(plan))))
        result = asyncio.run(_scored(plan, options.seconds))
    if options.as_json:
        print_json(result)
    else:
        print_figures(result)


async def _scored(plan: node.NodePlan, seconds: float) -> dict[str, Any]:
    """Run the node, listen to its alarms for `seconds` once every camera is live, and score them."""
    if plan.demo is None:
        raise PeriShieldError("the demo has no cameras")
    stop = asyncio.Event()
    alarms: list[HeardAlarm] = []
    live: set[str] = set()
    everyone = {str(camera["id"]) for camera in plan.demo.cameras}
    serving, seeing = asyncio.Event(), asyncio.Event()

    def heard(message: dict[str, Any], now: float) -> None:
        alarm = alarm_watch.alarm_of(message, now)
        if alarm is not None:
            alarms.append(alarm)
        elif message.get("type") == "stream" and message["data"]["condition"] == "live":
            live.add(message["data"]["camera"])
            if live >= everyone:
                seeing.set()

    running = asyncio.create_task(node.run(plan, on_serving=serving.set, stop=stop))
    token = plan.settings.run_dir / "token"
    try:
        await _first(serving.wait(), running)
        watching = asyncio.create_task(alarm_watch.watch(plan.address, token, heard))
        try:
            await _first(seeing.wait(), running)
            begin = time.time()
            with progress(f"watching for {seconds:g} s") as advance:
                while (gone := time.time() - begin) < seconds and not running.done():
                    advance(gone / seconds)
                    await asyncio.sleep(0.2)
            end = time.time()
            await asyncio.sleep(GRACE_S)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
    finally:
        stop.set()
        code = await running
    if code:
        raise PeriShieldError(f"the node ended with exit code {code}; its log says why")
    served = json.loads((plan.settings.data.dir / "demo" / "timeline.json").read_text())
    climbs = [climb for line in plan.demo.timelines(served) for climb in line.between(begin, end)]
    late = [alarm for alarm in alarms if begin <= alarm.wall <= end]
    result = score(climbs, late)
    notes.print(f"{len(everyone)} cameras, {end - begin:.0f} s, {len(climbs)} climbs", highlight=False)
    return {"seconds": round(end - begin, 1), "cameras": len(everyone), **result}


async def _first(waiting: Any, running: asyncio.Task[int]) -> None:
    """Wait for something while the node runs. Raises when it ends before, or after SETTLE_S."""
    task = asyncio.ensure_future(waiting)
    done, _ = await asyncio.wait({task, running}, timeout=SETTLE_S, return_when=asyncio.FIRST_COMPLETED)
    if task not in done:
        task.cancel()
        reason = "it ended; its log says why" if running in done else f"not within {SETTLE_S:g} s"
        raise PeriShieldError(f"the demo node did not come up: {reason}")
