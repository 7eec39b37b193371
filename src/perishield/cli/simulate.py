"""`perishield simulate`: clips as cameras."""

from __future__ import annotations

from pathlib import Path

from perishield import log


def run(files: list[Path], *, host: str, port: int, username: str, password: str, faults: list[str], tls: bool) -> None:
    import asyncio
    from contextlib import suppress

    from perishield.sources.simulator import simulate
    from perishield.sources.simulator.certificate import self_signed
    from perishield.sources.simulator.faults import named_faults

    log.configure()
    certificate = self_signed(host) if tls else None
    if certificate is not None:
        print(f"fingerprint {certificate.fingerprint}", flush=True)
    with suppress(KeyboardInterrupt):
        asyncio.run(
            simulate(
                files,
                host,
                port,
                username=username,
                password=password,
                faults=named_faults(faults),
                tls=certificate.context if certificate is not None else None,
                announce=lambda url: print(url, flush=True),
            )
        )
