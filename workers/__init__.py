"""What runs on the (GPU) workers: plain Python that never imports Django.

One package per app, one file per job kind: `workers/lmt/sft.py` is kind `lmt.sft`.
`python -m workers spec.json` runs one job by hand.
"""
