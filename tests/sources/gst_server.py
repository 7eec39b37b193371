"""A real RTSP server for tests, run by the system's Python: GStreamer's rtsp-server.

/h264 and /h265 play test pictures, /sound-* also a tone in several codings; /secret wants a user and a password; what
is published to /publish is served again at /published. Tells its port on stdout once it listens.
"""

from __future__ import annotations

import socket
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PICTURES = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=25/1 ! videoconvert"
H264 = f"{PICTURES} ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! rtph264pay name=pay0 pt=96"
H265 = (
    f"{PICTURES} ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 log-level=0"
    " option-string=pools=1 ! h265parse config-interval=-1 ! rtph265pay name=pay0 pt=96"
)


TONE = "audiotestsrc is-live=true wave=saw ! audioconvert ! audioresample"
SOUNDS = {
    "aac": f"{TONE} ! audio/x-raw,rate=16000,channels=1 ! avenc_aac ! aacparse ! rtpmp4gpay name=pay1 pt=97",
    "latm": f"{TONE} ! audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse ! rtpmp4apay name=pay1 pt=97",
    "opus": f"{TONE} ! audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay name=pay1 pt=111",
    "pcma": f"{TONE} ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8",
    "pcmu": f"{TONE} ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1 pt=0",
}


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def factory(launch: str) -> GstRtspServer.RTSPMediaFactory:
    made = GstRtspServer.RTSPMediaFactory.new()
    made.set_launch(f"( {launch} )")
    made.set_shared(True)
    return made


def permit(made: GstRtspServer.RTSPMediaFactory, role: str, *, construct: bool = True) -> None:
    """Who may see that a path exists, but may not open it, is asked for a password."""
    rights = f"media.factory.access=(boolean)true, media.factory.construct=(boolean){str(construct).lower()}"
    made.add_role_from_structure(Gst.Structure.new_from_string(f"{role}, {rights}"))


def token(role: str) -> GstRtspServer.RTSPToken:
    made = GstRtspServer.RTSPToken()
    made.set_string("media.factory.role", role)
    return made


def main() -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service("0")
    # A player's DESCRIBE waits for the publisher's packets: they need threads of their own.
    server.get_thread_pool().set_max_threads(-1)
    relay = free_udp_port()
    publish = factory(
        "rtph264depay name=depay0 ! h264parse ! rtph264pay pt=96 config-interval=-1"
        f" ! udpsink host=127.0.0.1 port={relay} sync=false"
    )
    publish.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
    published = factory(
        f"udpsrc address=127.0.0.1 port={relay} buffer-size=4194304"
        " caps=application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000"
        " ! rtph264depay ! h264parse ! rtph264pay name=pay0 pt=96"
    )
    secret = factory(H264)
    permit(secret, "user")
    permit(secret, "anonymous", construct=False)
    mounts = {"/h264": factory(H264), "/h265": factory(H265), "/publish": publish, "/published": published}
    mounts |= {f"/sound-{name}": factory(f"{H264} {launch}") for name, launch in SOUNDS.items()}
    points = server.get_mount_points()
    for path, made in mounts.items():
        permit(made, "anonymous")
        permit(made, "user")
        points.add_factory(path, made)
    points.add_factory("/secret", secret)
    auth = GstRtspServer.RTSPAuth.new()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.set_default_token(token("anonymous"))
    auth.add_digest("guard", "night & day", token("user"))
    server.set_auth(auth)
    server.attach(None)
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
