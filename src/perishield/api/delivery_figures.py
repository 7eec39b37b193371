"""Figures of the outbox for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy.exc import SQLAlchemyError

from perishield.alarms.outbox import Outbox
from perishield.model.channels import DeliveryState
from perishield.store.database import Database
from perishield.store.delivery_log import count_deliveries, oldest_waiting

_EVERY_S = 10.0


class DeliveryFigures:
    """Counts rows every ten seconds at most."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox
        self._due = 0.0
        self._counts: Sequence[tuple[str, DeliveryState, int]] = ()
        self._oldest: dict[str, float] = {}

    async def families(self) -> list[Metric]:
        """Deliveries by channel and state, tries by channel and outcome, and the oldest that waits."""
        if time.monotonic() >= self._due:
            try:
                async with self._database.read() as session:
                    self._counts, self._oldest = await count_deliveries(session), await oldest_waiting(session)
                self._due = time.monotonic() + _EVERY_S
            except SQLAlchemyError:
                # A scrape is no place to fail: what the store last said stands, and the log has the reason.
                self._counts, self._oldest = (), {}
        states = GaugeMetricFamily("perishield_deliveries", "What is kept of each state.", labels=["channel", "state"])
        for channel, state, count in self._counts:
            states.add_metric([channel, state.value], count)
        tries = CounterMetricFamily(
            "perishield_delivery_tries", "Tries since the server began, by what was answered.",
            labels=["channel", "outcome"],
        )  # fmt: skip
        for (channel, outcome), count in self._outbox.tries.items():
            tries.add_metric([channel, outcome], count)
        oldest = GaugeMetricFamily(
            "perishield_delivery_oldest_waiting_seconds", "Since when the oldest waits.", labels=["channel"]
        )
        now = time.time()
        for channel, since in self._oldest.items():
            oldest.add_metric([channel], max(now - since, 0.0))
        return [states, tries, oldest]
