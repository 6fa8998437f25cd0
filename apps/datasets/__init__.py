"""Data: datasets and their immutable versions, import with a quarantine of bad rows, cleaning by recipes, export."""
