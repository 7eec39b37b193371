"""A PostgreSQL of one's own for as long as it is needed: in a temporary folder, on a Unix socket only."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from perishield.model.errors import ConfigError, PeriShieldError

_PLACES = Path("/usr/lib/postgresql")
_PATIENCE_S = 120


def missing() -> str:
    """Why there is none here, or empty."""
    return "" if any(_PLACES.glob("*/bin/initdb")) else "needs PostgreSQL (Debian package postgresql)"


class PrivatePostgreSQL:
    """Use it as a context manager: it gives the address of a fresh cluster for `Database.open`.

    PostgreSQL refuses to run as root; then it runs as the account `postgres`. `durable` False spares waiting for the
    disk, which no measurement of writing may do.
    """

    def __init__(self, *, durable: bool = True, options: str = "") -> None:
        found = sorted(_PLACES.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
        if not found:
            raise ConfigError("postgresql: initdb is not on this machine; on Debian: apt-get install postgresql")
        self._programs = found[-1].parent
        self._as_other: list[str] = []
        if os.getuid() == 0:
            self._as_other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self._options = options if durable else f"-c fsync=off {options}"
        # A socket's path is bounded to about a hundred bytes.
        self._folder = TemporaryDirectory(prefix="pg-", dir="/tmp")
        self._data = f"{self._folder.name}/data"

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://guard@/postgres?host={self._folder.name}"

    def __enter__(self) -> Self:
        if self._as_other:
            account = pwd.getpwnam("postgres")
            os.chown(self._folder.name, account.pw_uid, account.pw_gid)
        self._run("initdb", "-D", self._data, "-U", "guard", "-A", "trust", "-E", "UTF8", "-N")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._folder.cleanup()

    def start(self) -> None:
        options = f"-k {self._folder.name} -c listen_addresses= {self._options}"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", f"{self._folder.name}/log", "-o", options, "start")

    def stop(self) -> None:
        """As a power cut does: it recovers when it is started again."""
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._as_other, str(self._programs / program), *arguments],
            capture_output=True,
            check=False,
            timeout=_PATIENCE_S,
            cwd=self._folder.name,
        )
        if done.returncode:
            raise PeriShieldError(f"`{program}` failed: {done.stderr.decode(errors='replace')[-300:]}")
