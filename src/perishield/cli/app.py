"""Commands and their options; what they do lies in the modules beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perishield.model.site import Transport

app = typer.Typer(
    name="perishield",
    help="Perimeter security for camera sites: records, judges crossings, tells the guards, keeps the proof.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
bench = typer.Typer(no_args_is_help=True, help="Measure this machine, beside a peer or a baseline.")
models = typer.Typer(no_args_is_help=True, help="Detection models: what there is, fetch, verify.")
faults = typer.Typer(help="Break it on purpose, and check what was promised.", no_args_is_help=True)
recordings = typer.Typer(no_args_is_help=True, help="Recorded footage: rebuild its index, check its files.")
app.add_typer(bench, name="bench")
app.add_typer(models, name="models")
storage = typer.Typer(no_args_is_help=True, help="Storage beyond this disk: how it is, try it, make folders ready.")
app.add_typer(storage, name="storage")
app.add_typer(recordings, name="recordings")
app.add_typer(faults, name="faults")

Config = Annotated[Path | None, typer.Option("--config", "-c", help="Settings file (default: ./perishield.toml).")]
Data = Annotated[Path | None, typer.Option(help="Data folder (default: that of the settings).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def run(
    config: Config = None,
    roles: Annotated[str, typer.Option(help="Comma-separated: ingest, vision, server.")] = "",
    port: Annotated[int | None, typer.Option(help="Port of the console; 0 takes a free one.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "",
    data: Annotated[Path | None, typer.Option(help="Data folder.")] = None,
    demo: Annotated[bool | None, typer.Option("--demo/--no-demo", help="Rendered cameras on an empty site.")] = None,
) -> None:
    """Run this node. With no camera configured it shows a demo site."""
    from perishield.cli import serve

    serve.run(serve.Overrides(config=config, roles=roles, port=port, host=host, data=data, demo=demo))


@app.command()
def demo(
    headless: Annotated[bool, typer.Option(help="No console: watch the alarms, compare them with the truth.")] = False,
    seconds: Annotated[float, typer.Option(min=10, help="How long a headless run watches.")] = 120,
    detector: Annotated[str, typer.Option(help="auto, motion, a model's name or an .onnx file.")] = "",
    data: Annotated[Path | None, typer.Option(help="Data folder (default: a temporary one).")] = None,
    port: Annotated[int, typer.Option(help="Port of the console; 0 takes a free one.")] = 0,
    config: Config = None,
    json: Json = False,
) -> None:
    """Run the demo site by itself; headless, it scores the whole pipeline against the scenes' truth."""
    from perishield.cli import demo as command

    command.run(
        command.DemoOptions(
            headless=headless, seconds=seconds, detector=detector, data=data, port=port, config=config, as_json=json
        )
    )


@app.command()
def simulate(
    files: Annotated[list[Path], typer.Argument(help="Video files (H.264 or H.265).")],
    port: Annotated[int, typer.Option(help="RTSP port; 0 takes a free one.")] = 8554,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    user: Annotated[str, typer.Option(help="Ask clients for this user...")] = "",
    password: Annotated[str, typer.Option(help="...and this password.", envvar="PERISHIELD_SIMULATE_PASSWORD")] = "",
    udp: Annotated[bool, typer.Option("--udp", help="Refuse TCP: packets travel by UDP only.")] = False,
    loss: Annotated[float, typer.Option(min=0, max=100, help="Per cent of UDP packets that are lost.")] = 0,
    reorder: Annotated[int, typer.Option(min=0, help="Places by which UDP packets may come late.")] = 0,
    tls: Annotated[bool, typer.Option("--tls", help="RTSPS with a certificate of its own.")] = False,
    fault: Annotated[list[str] | None, typer.Option(help="A deviation by name, or field:value.")] = None,
) -> None:
    """Serve clips in a loop as RTSP cameras."""
    from perishield.cli import simulate as command

    faults = [*(fault or []), *(["tcp-refused"] if udp else []), f"udp-loss:{loss}", f"udp-reorder:{reorder}"]
    command.run(files, host=host, port=port, username=user, password=password, faults=faults, tls=tls)


@app.command(name="eval")
def evaluate(
    dataset: Annotated[Path, typer.Argument(help="events.json of a labelled set of clips.")],
    detector: Annotated[str, typer.Option(help="motion, a model's name or an .onnx file.")] = "auto",
    fps: Annotated[float | None, typer.Option(min=0.5, help="Analyse at most this many pictures a second.")] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Score detection, tracking and rules on labelled clips."""
    from perishield.cli import evaluate as command

    command.run(dataset, detector, fps=fps, config=config, as_json=json)


@bench.command("ingest")
def bench_ingest(
    cameras: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    seconds: Annotated[float, typer.Option(min=5)] = 30,
    peer: Annotated[str, typer.Option(help="ffmpeg, or none.")] = "ffmpeg",
    transport: Annotated[str, typer.Option(help="tcp or udp, for both.")] = "tcp",
    codec: Annotated[str, typer.Option(help="h264 or h265.")] = "h264",
    audio: Annotated[bool, typer.Option("--audio", help="The cameras send AAC sound, too.")] = False,
    json: Json = False,
) -> None:
    """CPU and memory of recording N cameras, beside one ffmpeg per camera."""
    from perishield.cli import bench as command

    command.ingest(cameras, seconds, peer, transport=transport, codec=codec, audio=audio, as_json=json)


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


@models.command("list")
def models_list(config: Config = None, json: Json = False) -> None:
    """The catalogue, and what of it is installed."""
    from perishield.cli import models as command

    command.show(config, as_json=json)


@models.command("pull")
def models_pull(
    name: Annotated[str, typer.Argument(help="A name from the catalogue.")] = "yolox-nano",
    base_url: Annotated[str, typer.Option(help="Fetch from this mirror instead.")] = "",
    config: Config = None,
) -> None:
    """Fetch a model, verify its hash, install it."""
    from perishield.cli import models as command

    command.pull(name, base_url, config)


@models.command("verify")
def models_verify(config: Config = None, json: Json = False) -> None:
    """Check installed models against the catalogue's hashes."""
    from perishield.cli import models as command

    command.verify(config, as_json=json)


@app.command()
def doctor(
    url: Annotated[str, typer.Argument(help="A camera's address to try; left out: look at this machine.")] = "",
    seconds: Annotated[float, typer.Option(min=2, help="How long to look at a camera at most.")] = 15,
    username: Annotated[str, typer.Option(help="The camera's user; its password is asked for.")] = "",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read it from standard input.")] = False,
    transport: Annotated[Transport, typer.Option(help="How packets travel.")] = Transport.AUTO,
    fingerprint: Annotated[str, typer.Option(help="SHA-256 of the certificate of an rtsps camera.")] = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Say what is wrong, with this machine or, step by step, with a camera. Exit code 1: something failed."""
    if not url:
        from perishield.cli import doctor as command

        command.run(config, as_json=json)
        return
    from perishield.cli import examine

    examine.run(
        url,
        seconds,
        username=username,
        password_stdin=password_stdin,
        transport=transport,
        fingerprint=fingerprint,
        as_json=json,
    )


@app.command()
def ledger(
    camera: Annotated[str, typer.Option(help="Its id; left out: the sums of all cameras.")] = "",
    start: Annotated[str, typer.Option("--from", help="ISO 8601, Unix seconds or -2h; default: a day before.")] = "",
    end: Annotated[str, typer.Option("--to", help="The same; default: now.")] = "",
    data: Data = None,
    media: Annotated[Path | None, typer.Option(help="Folder of the footage, where it is elsewhere.")] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Say for every second whether there is footage, and if not, why not. Works without a server."""
    from perishield.cli import ledger as command

    command.run(camera, start, end, data=data, media=media, config=config, as_json=json)


@recordings.command("reindex")
def recordings_reindex(data: Data = None, config: Config = None, json: Json = False) -> None:
    """Make the index again from the files; a server may run meanwhile."""
    from perishield.cli import recordings as command

    command.reindex(data=data, config=config, as_json=json)


@recordings.command("verify")
def recordings_verify(
    camera: Annotated[str, typer.Option(help="Only this one.")] = "",
    start: Annotated[str, typer.Option("--from", help="ISO 8601, Unix seconds or -2h.")] = "",
    end: Annotated[str, typer.Option("--to", help="The same.")] = "",
    deep: Annotated[bool, typer.Option("--deep", help="Decode every picture, too.")] = False,
    data: Data = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Check every segment: its structure, its sidecar, the index. Exit code 1 where something is wrong."""
    from perishield.cli import recordings as command

    command.verify(camera, start, end, deep=deep, data=data, config=config, as_json=json)


@storage.command("status")
def storage_status(
    data: Annotated[Path | None, typer.Option(help="The node's data folder.")] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Ask the running node how its targets are and what waits for them."""
    from perishield.cli import storage as command

    command.status(data, config, as_json=json)


@storage.command("test")
def storage_test(
    name: Annotated[str, typer.Argument(help="A target; left out: all.")] = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Write, read back, read a part and delete at a target."""
    from perishield.cli import storage as command

    command.test(name, config, as_json=json)


@storage.command("prepare")
def storage_prepare(name: Annotated[str, typer.Argument(help="A target.")], config: Config = None) -> None:
    """Mark the folder of a target, once it is mounted: copies go only where the mark is."""
    from perishield.cli import storage as command

    command.prepare(name, config)


@app.command(name="config")
def show_config() -> None:
    """Print the annotated default settings."""
    typer.echo(Path(__file__).parent.with_name("perishield.toml").read_text(), nl=False)


@app.command()
def version() -> None:
    """Print the version."""
    from perishield import __version__

    typer.echo(__version__)
