"""Judging tracks by what users draw. The exact semantics are written down in docs/rules.md."""
