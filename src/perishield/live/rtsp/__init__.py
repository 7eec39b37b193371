"""The restream server: `rtsp://host:8554/{camera}` (RFC 2326), one reading of a camera for all its viewers.

server      RFC 2326 section 1.4     who may connect, and how many
guest       sections 10, 12          one connection: requests, sessions, sending over TCP
datagrams   section 12.39            the same over UDP
entry       RFC 7616, RFC 7617       Digest and Basic authentication
sdp         RFC 4566, 6184, 7798     what DESCRIBE answers
"""
