"""LMB, Large Model Builder: will own the from-scratch builder and pre-training runs."""
