"""`perishield bench` and `perishield faults`: the commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perishield.cli.options import Config, Json

bench = typer.Typer(no_args_is_help=True, help="Measure this machine, beside a peer or a baseline.")
faults = typer.Typer(help="Break it on purpose, and check what was promised.", no_args_is_help=True)


@bench.command("ingest")
def bench_ingest(
    cameras: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    seconds: Annotated[float, typer.Option(min=5)] = 30,
    peer: Annotated[str, typer.Option(help="ffmpeg, or none.")] = "ffmpeg",
    transport: Annotated[str, typer.Option(help="tcp or udp, for both.")] = "tcp",
    codec: Annotated[str, typer.Option(help="h264 or h265.")] = "h264",
    audio: Annotated[bool, typer.Option("--audio", help="The cameras send AAC sound, too.")] = False,
    viewers: Annotated[int, typer.Option(min=0, help="So many cameras are looked at live by somebody each.")] = 0,
    json: Json = False,
) -> None:
    """CPU and memory of recording N cameras, beside one ffmpeg per camera."""
    from perishield.cli import bench as command

    command.ingest(cameras, seconds, peer, transport=transport, codec=codec, audio=audio, viewers=viewers, as_json=json)


@bench.command("start")
def bench_start(rounds: Annotated[int, typer.Option(min=1)] = 15, json: Json = False) -> None:
    """How long the ingest process takes to serve, beside bare Python's own start."""
    from perishield.cli import bench as command

    command.start(rounds, as_json=json)


@faults.command("recorder")
def faults_recorder(
    case: Annotated[list[str] | None, typer.Option(help="Only this one; may be given several times.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer repetitions.")] = False,
    json: Json = False,
) -> None:
    """Kill, fill, freeze, unmount and cut under a running recorder. Exit code 1: a promise was broken."""
    from perishield.cli import faults as command

    command.recorder(case or [], quick=quick, as_json=json)


@faults.command("alarms")
def faults_alarms(
    alarms: Annotated[int, typer.Option(min=10, max=100_000, help="So many are told.")] = 2000,
    kills: Annotated[int, typer.Option(min=1, max=1000, help="So often the server is killed.")] = 30,
    case: Annotated[list[str] | None, typer.Option(help="Only this one; may be given several times.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="150 alarms, 4 kills.")] = False,
    json: Json = False,
) -> None:
    """Kill the server, its database and its disk while alarms go to a receiver that misbehaves. Exit code 1: one was
    lost, doubled or overtaken."""
    from perishield.cli import faults as command

    command.alarms(case or [], alarms, kills, quick=quick, as_json=json)


@bench.command("live")
def bench_live(
    minutes: Annotated[float, typer.Option(min=0.2, help="How long both players are watched.")] = 10,
    json: Json = False,
) -> None:
    """Glass-to-glass delay of live view in Chromium, MSE beside WebRTC."""
    from perishield.cli import bench as command

    command.live(minutes, as_json=json)


@bench.command("playback")
def bench_playback(
    cameras: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    days: Annotated[int, typer.Option(min=1, max=365, help="How far the index goes back.")] = 30,
    segment_s: Annotated[int, typer.Option(min=2, max=3600, help="Length of a segment; one row each.")] = 60,
    seeks: Annotated[int, typer.Option(min=1)] = 30,
    hours: Annotated[float, typer.Option(min=0.1, max=24, help="The long range.")] = 24,
    json: Json = False,
) -> None:
    """Time to the first picture of a seek and of a day, and memory while a day is streamed, beside plain files."""
    from perishield.cli import bench as command

    command.playback(cameras, days, segment_s, seeks, hours, as_json=json)


@bench.command("gate")
def bench_gate(
    dataset: Annotated[Path | None, typer.Option(help="events.json of a labelled set, whose events are kept.")] = None,
    detector: Annotated[str, typer.Option(help="motion, a model's name or an .onnx file.")] = "motion",
    minutes: Annotated[float, typer.Option(min=0, help="Quiet footage of each kind; 0: none.")] = 10,
    fps: Annotated[float, typer.Option(min=0.5, help="Pictures analysed a second.")] = 6,
    config: Config = None,
    json: Json = False,
) -> None:
    """CPU with the gate over CPU with every picture decoded, on quiet footage and on labelled clips."""
    from perishield.cli import bench as command

    command.gate(dataset, detector, minutes, fps, config=config, as_json=json)


@bench.command("far")
def bench_far(
    dataset: Annotated[Path, typer.Option(help="events.json of a labelled set of clips.")],
    detector: Annotated[str, typer.Option(help="A model's name or an .onnx file.")] = "auto",
    fps: Annotated[float, typer.Option(min=0.5, help="Pictures analysed a second.")] = 5,
    pieces: Annotated[int, typer.Option(min=1, max=16, help="Pieces of a picture looked at again.")] = 2,
    config: Config = None,
    json: Json = False,
) -> None:
    """How small people may be, with and without a second look at pieces of the picture."""
    from perishield.cli import bench as command

    command.far(dataset, detector, fps, pieces, config=config, as_json=json)


@bench.command("analyse")
def bench_analyse(
    model: Annotated[list[str] | None, typer.Option(help="An .onnx file; may be given several times.")] = None,
    cores: Annotated[int, typer.Option(min=1, help="So many cores are used.")] = 2,
    seconds: Annotated[float, typer.Option(min=20, help="Length of each run.")] = 40,
    config: Config = None,
    json: Json = False,
) -> None:
    """How many cameras can be analysed, quiet nine tenths of the time, beside the same without gate and batches."""
    from perishield.cli import bench as command

    command.analyse(model or ["auto"], cores, seconds, config=config, as_json=json)


@bench.command("health")
def bench_health(
    dataset: Annotated[Path | None, typer.Option(help="The events.json of a labelled set, for its clips, too.")] = None,
    json: Json = False,
) -> None:
    """Cover, spray, blur, turn, blind and freeze cameras: how soon is it told, and what is told for nothing?"""
    from perishield.cli import bench as command

    command.health(dataset, as_json=json)


@bench.command("track")
def bench_track(
    data: Annotated[Path, typer.Option(help="Folder with the sequences: TUD-Campus, TUD-Stadtmitte, syn*.csv.")],
    rounds: Annotated[int, typer.Option(min=1, help="How often each crowd is timed.")] = 5,
    sensitivity: Annotated[
        bool,
        typer.Option("--sensitivity", help="Instead: ours by its settings, at 25, 12.5 and 6.25 a second."),
    ] = False,
    json: Json = False,
) -> None:
    """How well and how fast objects are followed, beside `trackers` and `supervision` where they are installed."""
    from perishield.cli import bench as command

    command.track(data, rounds, sensitivity=sensitivity, as_json=json)


@bench.command("rules")
def bench_rules(
    tracks: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    rules: Annotated[int, typer.Option(min=1, max=1000)] = 10,
    pictures: Annotated[int, typer.Option(min=10, max=100_000)] = 600,
    json: Json = False,
) -> None:
    """Processor time of judging one picture, by rules of every kind."""
    from perishield.cli import bench as command

    command.rules(tracks, rules, pictures, as_json=json)


@bench.command("realism")
def bench_realism(
    clips: Annotated[Path, typer.Option(help="A folder of .mp4 clips with people in them.")],
    detector: Annotated[str, typer.Option(help="A model's name or an .onnx file.")] = "auto",
    places: Annotated[int, typer.Option(min=1, help="Generated places with people in them.")] = 10,
    config: Config = None,
    json: Json = False,
) -> None:
    """How often a detector finds generated people, beside real ones of the same height."""
    from perishield.cli import bench as command

    command.realism(clips, detector, places, config=config, as_json=json)


@bench.command("alarms")
def bench_alarms(
    alarms: Annotated[int, typer.Option(min=1000, max=10_000_000, help="How many are stored.")] = 1_000_000,
    database: Annotated[str, typer.Option(help="sqlite, postgresql (a private one is started), or both.")] = "both",
    rounds: Annotated[int, typer.Option(min=5, help="How often each question is asked.")] = 60,
    json: Json = False,
) -> None:
    """Lists, statistics and intake of alarms over a full table, beside the same over an empty one."""
    from perishield.cli import bench as command

    command.alarms(alarms, database, rounds, as_json=json)
