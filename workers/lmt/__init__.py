"""Tuning of large models. One file per method."""
