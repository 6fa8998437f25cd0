"""APS, the machine-learning platform: will own AutoML, visual pipelines, notebooks and small models."""
