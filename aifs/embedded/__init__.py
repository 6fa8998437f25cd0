"""The stack on one machine: PostgreSQL and Redis from Python wheels, and the parent that keeps every part alive.

Imports neither Django nor the apps, so that it starts at once and outlives whatever it supervises.
"""
