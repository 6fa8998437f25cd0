"""The applications of AIFS, one folder per area of the product."""
