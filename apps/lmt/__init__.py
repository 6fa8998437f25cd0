"""LMT, Large Model Tuning: fine-tuning runs; later vocabulary extension, RLHF pipelines and the task centre."""
