"""Measurements. Each file holds one, with what it is compared to in the same run, since only ratios outlive a machine.

`python -m bench [NAME …]` runs them and writes `$AIFS_HOME/bench/NAME.json`.
"""
