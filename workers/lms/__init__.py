"""Work on models: import, evaluation, serving. One file per job kind."""
