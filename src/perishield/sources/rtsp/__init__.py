"""RTSP 1.0 over TCP (RFC 2326), our own: the recorder's hot path. Standard library only.

One file a standard: `url`, `sdp` (RFC 4566), `auth` (RFC 7616), `framing` (RFC 2326 section 10.12), `rtp` (RFC 3550),
`h264` (RFC 6184), `h265` (RFC 7798), `rtcp`, `clock`; `connection` and `session` speak, `source` keeps it alive.
"""
