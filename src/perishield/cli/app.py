"""Commands and their options; what they do lies in the modules beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perishield.cli.bench_app import bench, faults
from perishield.cli.databases_app import database
from perishield.cli.evidence_app import evidence, verify
from perishield.cli.models_app import models
from perishield.cli.options import Config, Data, Json
from perishield.cli.people_app import audit, users
from perishield.model.site import Transport

app = typer.Typer(
    name="perishield",
    help="Perimeter security for camera sites: records, judges crossings, tells the guards, keeps the proof.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
recordings = typer.Typer(no_args_is_help=True, help="Recorded footage: rebuild its index, check its files.")
app.add_typer(bench, name="bench")
app.add_typer(models, name="models")
storage = typer.Typer(no_args_is_help=True, help="Storage beyond this disk: how it is, try it, make folders ready.")
app.add_typer(storage, name="storage")
app.add_typer(recordings, name="recordings")
app.add_typer(faults, name="faults")
app.add_typer(evidence, name="evidence")
app.command()(verify)
app.add_typer(users, name="users")
app.add_typer(audit, name="audit")
app.add_typer(database, name="database")


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


Html = Annotated[Path | None, typer.Option(help="Write a page with pictures to this folder or .html file.")]
Lang = Annotated[str, typer.Option(help="Language of the page: en or zh.")]


@app.command(name="eval")
def evaluate(
    dataset: Annotated[
        list[str] | None, typer.Argument(help="events.json of a labelled set; or: compare A.json B.json.")
    ] = None,
    detector: Annotated[str, typer.Option(help="motion, a model's name or an .onnx file.")] = "auto",
    fps: Annotated[float | None, typer.Option(min=0.5, help="Analyse at most this many pictures a second.")] = None,
    pipeline: Annotated[str, typer.Option(help="every: decode each frame; full: gate and all, as in operation.")] = (
        "every"
    ),
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Go on past clips that cannot be read.")] = False,
    html: Html = None,
    lang: Lang = "en",
    generated: Annotated[str, typer.Option(help="Instead of a labelled set: a suite of generated scenes.")] = "",
    scenes: Annotated[int, typer.Option(min=0, help="Generated scenes in which somebody comes in.")] = 200,
    hours: Annotated[float, typer.Option(min=0, help="Generated camera-hours in which nobody does.")] = 10,
    seed: Annotated[int, typer.Option(min=1, help="Another one gives other scenes.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes that render and watch.")] = 1,
    only: Annotated[int, typer.Option(help="One generated scene, by its seed in a report.")] = 0,
    video: Annotated[Path | None, typer.Option(help="With --only: write what was seen as MP4.")] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Score detection, tracking and rules on labelled clips, or on generated scenes; `eval compare A.json B.json`: two
    runs side by side.
    """
    from perishield.cli import evaluate as command
    from perishield.cli import generated as scenes_command

    if generated and only:
        scenes_command.replay(only, detector, video, config=config, as_json=json)
        return
    if generated:
        scenes_command.run(generated, detector, scenes, hours, seed=seed, workers=workers, config=config, as_json=json)
        return
    if dataset is None:
        raise typer.BadParameter("name a labelled set's events.json, or --generated standard")
    command.run(
        dataset,
        command.EvalOptions(
            detector=detector,
            fps=fps,
            pipeline=pipeline,
            html=html,
            language=lang,
            keep_going=keep_going,
            config=config,
            as_json=json,
        ),
    )


@app.command()
def shadow(
    start: Annotated[str, typer.Option("--from", help="ISO 8601, Unix seconds or -2h.")],
    end: Annotated[str, typer.Option("--to", help="The same.")] = "-0s",
    rule: Annotated[str, typer.Option(help="A stored rule's id, or a draft in a JSON or TOML file.")] = "",
    model: Annotated[str, typer.Option(help="A model's name or an .onnx file instead of the one in use.")] = "",
    camera: Annotated[str, typer.Option(help="Its id; left out: the rule's.")] = "",
    html: Html = None,
    lang: Lang = "en",
    data: Data = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Try a rule or a model on recorded footage: what it would have raised, and what it would have spared."""
    from perishield.cli import shadow as command

    command.run(
        command.ShadowOptions(
            rule=rule,
            model=model,
            camera=camera,
            start=start,
            end=end,
            html=html,
            language=lang,
            data=data,
            config=config,
            as_json=json,
        )
    )


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
