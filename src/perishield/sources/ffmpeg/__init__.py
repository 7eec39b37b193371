"""Whatever else FFmpeg can demux: files, RTMP, HTTP. The libraries live in a helper process of their own."""
