"""HTTP and WebSocket: routers by resource, security in one place, no business logic."""
