"""Data: sources, immutable dataset versions, cleaning, and the quarantine of bad rows."""
