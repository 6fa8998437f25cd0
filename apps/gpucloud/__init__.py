"""GPU Cloud: nodes, accelerators, environments, jobs, the scheduler and the node agent."""
