"""The node agent: takes the attempts of its node, starts them under supervisors, and tends them until they end."""
