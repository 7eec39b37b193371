"""Figures for Prometheus: streams, footage, disk, pressure of the storage, processes."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

import perishield
from perishield.api.delivery_figures import DeliveryFigures
from perishield.api.health_board import HealthBoard
from perishield.api.ledger_book import LedgerBook
from perishield.api.process_figures import process_figures
from perishield.api.registry import Processes, Streams
from perishield.bus.topics import AnalysisState, StoragePressure
from perishield.model.health import Ailment
from perishield.model.media import StreamCondition, StreamState
from perishield.recording.ledger import completeness, totals

FOOTAGE_S = 86_400.0
"""Footage is accounted for over the last day."""
_FOOTAGE_EVERY_S = 60.0
_SILENT_S = 15.0

Totals = dict[str, dict[str, float]]


class Metrics:
    """Answers a scrape. What costs a look into the index is made anew once a minute at most."""

    def __init__(
        self,
        streams: Streams,
        processes: Processes,
        ledger: LedgerBook,
        media: Path,
        health: HealthBoard,
        deliveries: DeliveryFigures,
    ) -> None:
        self.pressure: StoragePressure | None = None
        self.analysis: dict[str, tuple[AnalysisState, float]] = {}
        """What was last told of each stream's analysis, and when (monotonic seconds)."""
        self._streams = streams
        self._processes = processes
        self._ledger = ledger
        self._media = media
        self._health = health
        self._deliveries = deliveries
        self._footage: Totals = {}
        self._footage_due = 0.0
        self._one = asyncio.Lock()

    async def page(self, accept: str) -> tuple[bytes, str]:
        """The figures in the format that `accept` asks for, and its media type."""
        async with self._one:
            if time.monotonic() >= self._footage_due:
                now = float(int(time.time()))
                cameras = [state.camera for state in self._streams.states()]
                spans = await self._ledger.summary(cameras, now - FOOTAGE_S, now)
                self._footage = {camera: totals(found) for camera, found in spans.items()}
                self._footage_due = time.monotonic() + _FOOTAGE_EVERY_S
        states, footage = self._streams.states(), self._footage
        families = [
            *self._of_streams(states),
            *_of_footage(footage),
            *self._of_analysis(),
            *self._of_storage(),
            *self._of_processes(),
        ]
        families += self._of_health()
        families += await self._deliveries.families()
        encode, media_type = choose_encoder(accept)
        registry = CollectorRegistry()
        registry.register(_Once(families))
        return await asyncio.to_thread(encode, registry), media_type

    def _of_streams(self, states: list[StreamState]) -> Iterator[Metric]:
        up = GaugeMetricFamily("perishield_stream_up", "1 where pictures come in.", labels=["camera"])
        recording = GaugeMetricFamily("perishield_stream_recording", "1 where footage is kept.", labels=["camera"])
        condition = GaugeMetricFamily(
            "perishield_stream_condition", "1 for the state it is in; code says why not live.",
            labels=["camera", "condition", "code"],
        )  # fmt: skip
        bitrate = GaugeMetricFamily("perishield_stream_bitrate_bits", "Bits a second.", labels=["camera"])
        rate = GaugeMetricFamily("perishield_stream_frame_rate", "Pictures a second.", labels=["camera"])
        frames = CounterMetricFamily("perishield_stream_frames", "Pictures taken in.", labels=["camera"])
        lost = CounterMetricFamily("perishield_stream_frames_lost", "Pictures lost on the way.", labels=["camera"])
        tries = CounterMetricFamily("perishield_stream_reconnects", "Connections made anew.", labels=["camera"])
        for state in states:
            live = state.condition is StreamCondition.LIVE
            up.add_metric([state.camera], live)
            recording.add_metric([state.camera], state.recording)
            condition.add_metric([state.camera, state.condition.value, state.code], 1)
            bitrate.add_metric([state.camera], state.bitrate if live else 0)
            rate.add_metric([state.camera], state.fps if live else 0)
            frames.add_metric([state.camera], state.frames)
            lost.add_metric([state.camera], state.frames_lost)
            tries.add_metric([state.camera], state.reconnects)
        yield from (up, recording, condition, bitrate, rate, frames, lost, tries)

    def _of_analysis(self) -> Iterator[Metric]:
        """Of streams that are analysed now; who was taken off falls silent."""
        is_open = GaugeMetricFamily("perishield_gate_open", "1 while everything is decoded.", labels=["camera"])
        opened = CounterMetricFamily(
            "perishield_gate_reasons", "Times a reason opened the gate or held it open.", labels=["camera", "reason"]
        )
        pictures = CounterMetricFamily("perishield_analysis_pictures", "Pictures looked at.", labels=["camera"])
        units = CounterMetricFamily("perishield_analysis_decoded", "Access units decoded.", labels=["camera"])
        left = CounterMetricFamily(
            "perishield_analysis_left_out", "Chunks and pictures that nobody had time for.", labels=["camera"]
        )
        since = time.monotonic() - _SILENT_S
        self.analysis = {name: told for name, told in self.analysis.items() if told[1] >= since}
        for name, (state, _) in self.analysis.items():
            is_open.add_metric([name], state.gate_open)
            for reason, count in state.reasons.items():
                opened.add_metric([name, reason], count)
            pictures.add_metric([name], state.pictures)
            units.add_metric([name], state.units)
            left.add_metric([name], state.dropped + state.skipped)
        yield from (is_open, opened, pictures, units, left)

    def _of_health(self) -> Iterator[Metric]:
        wrong = GaugeMetricFamily(
            "perishield_camera_ailment", "1 while this is wrong with the camera itself.", labels=["camera", "ailment"]
        )
        looks = CounterMetricFamily(
            "perishield_camera_health_looks", "Key frames looked at for the camera's health.", labels=["camera"]
        )
        cpu = CounterMetricFamily(
            "perishield_camera_health_cpu_seconds", "Processor time of these looks.", labels=["camera"]
        )
        held = CounterMetricFamily(
            "perishield_tracks_suppressed", "Tracks kept from the rules, by doubt.", labels=["camera", "doubt"]
        )
        for report in self._health.reports():
            sick = {spell.ailment for spell in report.spells}
            for ailment in Ailment:
                wrong.add_metric([report.camera, ailment.value], ailment in sick)
            looks.add_metric([report.camera], report.looked)
            cpu.add_metric([report.camera], report.cpu_s)
        for told in self._health.suppressed():
            for doubt, count in told.counts.items():
                held.add_metric([told.camera, doubt], count)
        yield from (wrong, looks, cpu, held)

    def _of_storage(self) -> Iterator[Metric]:
        folder = next((place for place in (self._media, *self._media.parents) if place.exists()), Path("/"))
        usage = shutil.disk_usage(folder)
        yield GaugeMetricFamily("perishield_disk_free_bytes", "Room on the disk of the footage.", value=usage.free)
        yield GaugeMetricFamily("perishield_disk_size_bytes", "Size of the disk of the footage.", value=usage.total)
        pressure = self.pressure or StoragePressure(level=0)
        yield GaugeMetricFamily(
            "perishield_storage_pressure", "0 none, 1 no pictures made, 2 analysis at key frames only, "
            "3 low priorities not recorded, 4 recording refused.", value=pressure.level,
        )  # fmt: skip
        yield GaugeMetricFamily(
            "perishield_storage_queued_bytes", "Footage that waits for the disk.", value=pressure.queued_bytes
        )

    def _of_processes(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("perishield_build_info", "The version that runs.", labels=["version"])
        build.add_metric([perishield.__version__], 1)
        up = GaugeMetricFamily("perishield_process_up", "1 where it runs.", labels=["process"])
        starts = CounterMetricFamily("perishield_process_restarts", "Starts after the first.", labels=["process"])
        cpu = CounterMetricFamily("perishield_process_cpu_seconds", "Processor time used.", labels=["process"])
        memory = GaugeMetricFamily("perishield_process_resident_bytes", "Memory in use.", labels=["process"])
        threads = GaugeMetricFamily("perishield_process_threads", "Threads.", labels=["process"])
        pids = {state.name: state.pid for state in self._processes.all()}
        for state in self._processes.all():
            up.add_metric([state.name], state.state == "running")
            starts.add_metric([state.name], state.restarts)
        for name, pid in {"server": os.getpid(), **pids}.items():
            figures = process_figures(pid) if pid else None
            if figures is not None:
                cpu.add_metric([name], figures.cpu_s)
                memory.add_metric([name], figures.resident)
                threads.add_metric([name], figures.threads)
        yield from (build, up, starts, cpu, memory, threads)


def _of_footage(footage: Totals) -> Iterator[Metric]:
    seconds = GaugeMetricFamily(
        "perishield_footage_seconds", "Seconds of the last 24 hours, by what the ledger says of them.",
        labels=["camera", "state"],
    )  # fmt: skip
    share = GaugeMetricFamily(
        "perishield_footage_completeness", "Of what the last 24 hours should have recorded, the share that they did.",
        labels=["camera"],
    )  # fmt: skip
    for camera, states in footage.items():
        for state, some in states.items():
            seconds.add_metric([camera, state], some)
        complete = completeness(states)
        if complete is not None:
            share.add_metric([camera], complete)
    yield from (seconds, share)


class _Once(Collector):
    """What was gathered for one scrape."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families
