"""Where packets come from: one sub-package a protocol, all meeting at `model.media.Packet`."""
