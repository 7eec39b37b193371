"""From compressed chunks to boxes: what is decoded, when, and what is seen in it."""
