"""What is found again in the segment files: the index, clips, playback."""
