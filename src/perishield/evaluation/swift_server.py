"""A real object store on this machine: OpenStack Swift with its S3 face, for tests, fault suites and trying things out.

Signatures are checked, uploads in parts and `If-None-Match` work. It is installed apart, since its libraries are its
own business: `make swift` puts it into `.venv/swift`; `PERISHIELD_SWIFT` names another folder with its `bin`.
"""

from __future__ import annotations

import base64
import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from perishield.model.errors import ConfigError

ACCESS_KEY = "test:tester"
SECRET_KEY = "testing"  # noqa: S105
REGION = "us-east-1"
_PATIENCE_S = 60.0
_TOKEN_KEY = base64.urlsafe_b64encode(b"tokens of a Swift for tests only").decode()
"""It would want memcached for its tokens otherwise."""

_COMMON = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
workers = 0
log_level = ERROR
log_udp_host = 127.0.0.1
log_udp_port = {silent}
fallocate_reserve = 0
"""
_BACKEND = (
    _COMMON
    + """
[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
"""
)
_PROXY = (
    _COMMON
    + """
[pipeline:main]
pipeline = catch_errors gatekeeper bulk s3api tempauth slo dlo proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true

[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
location = {region}
s3_acl = false
min_segment_size = 1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = {secret} .admin
fernet_key_one = {token_key}
active_fernet_key_id = one
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""
)
_RINGS = """
import sys
from swift.common.ring import RingBuilder
for kind, port in (("account", {account}), ("container", {container}), ("object", {object})):
    builder = RingBuilder(1, 1, 0)
    builder.add_dev(dict(id=0, region=1, zone=1, ip="127.0.0.1", port=port, device="d1", weight=1,
                         replication_ip="127.0.0.1", replication_port=port))
    builder.rebalance()
    builder.get_ring().save(sys.argv[1] + "/" + kind + ".ring.gz")
"""


def swift_programs() -> Path | None:
    """The folder with Swift's programs, or None where it is not installed."""
    named = os.environ.get("PERISHIELD_SWIFT")
    folder = (Path(named) if named else Path(sys.prefix) / "swift") / "bin"
    return folder if (folder / "swift-proxy-server").exists() else None


@dataclass(frozen=True, slots=True)
class _Ports:
    account: int
    container: int
    object: int
    proxy: int
    silent: int


class SwiftServer:
    """Four processes of one Swift: `with SwiftServer(folder) as swift`. Its files lie below `folder`.

    `endpoint` is the address of its S3 face; the keys are `ACCESS_KEY` and `SECRET_KEY`. Raises ConfigError where Swift
    is not installed or does not come up.
    """

    def __init__(self, folder: Path) -> None:
        programs = swift_programs()
        if programs is None:
            raise ConfigError("OpenStack Swift is not installed here: run `make swift`, or set PERISHIELD_SWIFT")
        self._programs = programs
        self._folder = folder.absolute()
        self._ports = _free_ports()
        self._running: list[subprocess.Popen[bytes]] = []
        self.port = self._ports.proxy
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        try:
            self._prepare()
            for kind in ("account", "container", "object", "proxy"):
                self._start(kind)
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def make_bucket(self, name: str) -> None:
        """Make a bucket; one that is there already stays."""
        # Over Swift's own interface: buckets are containers, and no signing client is needed for it.
        with httpx.Client(timeout=30, trust_env=False) as client:
            token = client.get(
                f"{self.endpoint}/auth/v1.0", headers={"x-auth-user": ACCESS_KEY, "x-auth-key": SECRET_KEY}
            )
            url = f"{self.endpoint}/v1/AUTH_test/{name}"
            client.put(url, headers={"x-auth-token": token.headers["x-auth-token"]}).raise_for_status()

    def stop(self) -> None:
        """End its processes. The files stay."""
        for process in self._running:
            process.terminate()
        for process in self._running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def _prepare(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        (self._folder / "devices" / "d1").mkdir(parents=True)
        ports = self._ports
        values = {"folder": self._folder, "user": _user(), "silent": ports.silent, "region": REGION}
        (self._folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = perishield\n")
        for kind in ("account", "container", "object"):
            text = _BACKEND.format(kind=kind, port=getattr(ports, kind), **values)
            (self._folder / f"{kind}.conf").write_text(text)
        text = _PROXY.format(port=ports.proxy, secret=SECRET_KEY, token_key=_TOKEN_KEY, **values)
        (self._folder / "proxy.conf").write_text(text)
        rings = _RINGS.format(account=ports.account, container=ports.container, object=ports.object)
        self._run([self._programs / "python", "-c", rings, self._folder])

    def _start(self, kind: str) -> None:
        with open(self._folder / f"{kind}.log", "wb") as log:
            self._running.append(
                subprocess.Popen(
                    [self._programs / "python", self._programs / f"swift-{kind}-server", self._folder / f"{kind}.conf"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environment(),
                )
            )

    def _run(self, command: list[str | Path]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, env=self._environment(), check=False)
        if done.returncode:
            raise ConfigError(f"Swift: {command[2]!s:.40}: {done.stderr[-500:]}")

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "SWIFT_CONF_FILE": str(self._folder / "swift.conf"), "PYTHONWARNINGS": "ignore"}

    def _wait(self) -> None:
        """Until it stores: the account is there only once the servers behind the proxy answer."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            dead = next((process for process in self._running if process.poll() is not None), None)
            try:
                if dead is None:
                    self.make_bucket("ready")
                    return
            except (httpx.HTTPError, KeyError):
                pass
            if dead is not None or time.monotonic() > deadline:
                logs = "\n".join(path.read_text(errors="replace")[-500:] for path in self._folder.glob("*.log"))
                raise ConfigError(f"Swift does not come up: {logs or 'no answer'}")
            time.sleep(0.1)


def _user() -> str:
    return getpass.getuser()


def _free_ports() -> _Ports:
    with ExitStack() as held:
        sockets = [held.enter_context(closing(socket.create_server(("127.0.0.1", 0)))) for _ in range(5)]
        return _Ports(*(listener.getsockname()[1] for listener in sockets))
