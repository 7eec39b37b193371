"""Plays an address with GStreamer until enough was decoded: run by the system's Python, which has its bindings.

gst_player.py URL tcp|udp-mcast+udp PICTURES
"""

import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

url, protocols, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
Gst.init(None)
pipeline = Gst.parse_launch(
    f'rtspsrc name=source protocols={protocols} latency=100 location="{url}" '
    "source. ! application/x-rtp,media=video ! decodebin ! fakesink name=pictures signal-handoffs=true sync=false "
    "source. ! application/x-rtp,media=audio ! decodebin ! fakesink name=sounds signal-handoffs=true sync=false"
)
loop = GLib.MainLoop()
seen = {"pictures": 0, "sounds": 0}
faults = []


def took(sink, *_):
    seen[sink.get_name()] += 1
    if min(seen.values()) > wanted:
        loop.quit()


def heard(_bus, message):
    if message.type == Gst.MessageType.ERROR:
        faults.append(str(message.parse_error()))
        loop.quit()


for name in seen:
    pipeline.get_by_name(name).connect("handoff", took)
pipeline.get_bus().add_signal_watch()
pipeline.get_bus().connect("message", heard)
# The first use on a machine reads dozens of plugins from a cold disk before anything is asked of the server.
GLib.timeout_add_seconds(60, loop.quit)
pipeline.set_state(Gst.State.PLAYING)
loop.run()
pipeline.set_state(Gst.State.NULL)
sys.stderr.write(f"{seen} {faults}")
sys.exit(bool(faults) or min(seen.values()) <= wanted)
