"""An RTSP camera farm: serves clips in loops to many clients over interleaved TCP, cheaply, and fails on request."""

from perishield.sources.simulator.clip import SimulatorClip
from perishield.sources.simulator.faults import Faults
from perishield.sources.simulator.server import Simulator, simulate

__all__ = ["Faults", "Simulator", "SimulatorClip", "simulate"]
