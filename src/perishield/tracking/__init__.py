"""Following what was detected from picture to picture."""
