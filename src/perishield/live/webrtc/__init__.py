"""WebRTC for viewers: the camera's own coded frames, packetized once, encrypted for each (RFC 8829, 6184, 9725 draft).

    offers    what a browser can take, and which of its codecs suits the camera
    flow      pieces of a line into frames with RTP times for one peer
    peer      one connection, from offer to end
    peers     all of them, bounded

aiortc does ICE, DTLS and SRTP. It is imported with the first viewer, because it costs 40 MB and half a second.
"""
