"""Labeling: will own label projects, tasks, annotations, review, agreement and smart labeling."""
