"""Cleaning steps, one a file: what rows become of rows."""
