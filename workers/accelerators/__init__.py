"""Accelerators of a node. One file per vendor; `python -m workers.accelerators FILE` reads a saved tool output."""
