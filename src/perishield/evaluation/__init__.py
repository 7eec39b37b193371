"""Labelled clips, scenes with truth, and how well the pipeline does on them."""
