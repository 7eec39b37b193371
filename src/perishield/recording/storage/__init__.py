"""Footage beyond the recorder's own disk: targets, copies and tiers, and reading it back."""
