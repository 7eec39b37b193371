"""The command line. Every command imports what it needs when it runs, so that `--help` stays quick."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; an error is one sentence on stderr and exit code 1 (2: configuration, 4: port taken)."""
    from perishield.model.errors import ConfigError, PeriShieldError, PortTakenError

    try:
        from perishield.cli.app import app

        app()
    except PeriShieldError as error:
        print(f"perishield: {error}", file=sys.stderr)
        if isinstance(error, ConfigError):
            sys.exit(2)
        sys.exit(4 if isinstance(error, PortTakenError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
