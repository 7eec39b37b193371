"""Topics between processes. `local` serves one host; durable messages go through `spool`."""

from perishield.bus.local import LocalBus, Subscription

__all__ = ["LocalBus", "Subscription"]
