"""Pages of data: datasets, the import wizard, versions, the recipe editor."""
