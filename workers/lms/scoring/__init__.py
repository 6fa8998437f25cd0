"""Scoring answers with lm-evaluation-harness. Modules here import torch at the top; import them inside functions."""
