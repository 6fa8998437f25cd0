"""Pages of core, one file per noun."""
