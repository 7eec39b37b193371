"""From packets to chunks in segment files: cutting, writing, ring retention, recovery. Nothing is decoded."""
