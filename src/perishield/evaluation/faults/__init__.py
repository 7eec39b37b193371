"""Faults on purpose: what breaks in the field is broken here for real, and what was promised is checked afterwards."""
