"""Pages of the model store, evaluations, deployments and the playground."""
