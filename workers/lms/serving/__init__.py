"""The OpenAI-compatible worker server around an engine: chat templates, token streams, stop strings, answers."""
