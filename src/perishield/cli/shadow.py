"""`perishield shadow`: a rule or a model tried on recorded footage, without a server."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from perishield.cli.evaluate import write_page
from perishield.cli.output import print_figures, print_json, print_table, progress
from perishield.cli.times import moment
from perishield.model.errors import ConfigError
from perishield.settings import load


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowOptions:
    rule: str
    model: str
    camera: str
    start: str
    end: str
    html: Path | None
    language: str
    data: Path | None
    config: Path | None
    as_json: bool


def run(options: ShadowOptions) -> None:
    from perishield.evaluation.report_texts import Texts
    from perishield.evaluation.shadow import Watch, give_way, shadow
    from perishield.evaluation.shadow_plan import RealAlarm, ShadowPlan, check_range
    from perishield.evaluation.shadow_site import plan_for, read_draft
    from perishield.store.database import Database, sqlite_url
    from perishield.store.sealing import KEY_FILE, Keyring
    from perishield.vision.crops import with_pieces
    from perishield.vision.model_store import choose_detector

    settings = load(options.config)
    folder = options.data or settings.data.dir
    media = options.data / "media" if options.data else settings.media_dir
    texts = Texts(options.language)
    start, end = moment(options.start, "--from"), moment(options.end, "--to")
    check_range(start, end)
    if not (options.rule or options.model):
        raise ConfigError("shadow: what is to be tried? name a --rule (its id, or a file), a --model, or both")
    if not media.is_dir():
        raise ConfigError(f"{media}: there is no such folder; name the data folder with --data")
    at_database = settings.database.url if settings.database.url and options.data is None else ""
    if not at_database and not (folder / "perishield.db").is_file():
        raise ConfigError(f"{folder}: holds no perishield.db; name the data folder with --data")
    file = Path(options.rule)
    wanted = read_draft(file, options.camera) if options.rule and file.is_file() else options.rule or None

    async def gather(pictures: Path) -> tuple[ShadowPlan, list[RealAlarm]]:
        database = await Database.open(
            at_database or sqlite_url(folder / "perishield.db"), Keyring(folder / KEY_FILE, settings.database.keys())
        )
        try:
            async with database.read() as session:
                return await plan_for(session, options.camera, start, end, wanted, pictures)
        finally:
            await database.close()

    give_way()
    with tempfile.TemporaryDirectory(prefix="perishield-shadow-") as scratch:
        pictures = Path(scratch)
        plan, real = asyncio.run(gather(pictures))
        name = options.model or settings.vision.detector
        detector = with_pieces(choose_detector(name, settings.models_dir, threads=1), settings.vision.pieces)
        with progress(plan.camera) as advance:
            result = shadow(media, plan, detector, real, Watch(progress=advance))
        if options.html is not None:
            from perishield.evaluation.shadow_report import shadow_report

            write_page(options.html, shadow_report(result, plan.rules, pictures, media, texts))
    for one in result["alarms"]:
        # The pictures went with their folder; the page holds them.
        del one["picture"]
    if options.as_json:
        print_json(result)
        return
    rows = [(one["wall"], "as before" if one["match"] else "new", one) for one in result["alarms"]]
    rows += [(one["wall"], "spared", one) for one in result["spared_alarms"]]
    if rows:
        ordered = sorted(rows, key=lambda row: row[0])
        print_table(
            ("time (UTC)", "", "rule", "kind", "class"),
            [[_clock(wall), what, one["rule_name"], one["kind"], one["label"]] for wall, what, one in ordered],
        )
    print_figures({name: value for name, value in result.items() if name not in ("from", "to")})


def _clock(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%S")
