"""LMS, Large Model Serving: model store, evaluation, deployments, gateway and monitoring."""
