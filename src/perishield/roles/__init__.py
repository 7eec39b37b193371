"""Wiring: each module runs as a process of the node; `node` starts them and keeps them alive."""
