"""The doctor: an examination of a camera, step by step."""
