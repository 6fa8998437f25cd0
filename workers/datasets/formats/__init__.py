"""Ways to write training rows down, one a file: how a row becomes normal."""
