"""Live view in every way: one reading of a camera's chunks, many viewers (RTSP, WebRTC, HLS, MSE)."""
