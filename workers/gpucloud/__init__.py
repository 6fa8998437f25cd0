"""Job kinds about the machines themselves."""
