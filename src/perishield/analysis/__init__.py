"""From chunks to events: what stands between the rooms that see, follow and judge."""
