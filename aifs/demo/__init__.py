"""The main job on real input, through the same doors a user has: raw data to a published answer (`make demo`)."""
