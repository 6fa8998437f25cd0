"""Work on data: import and cleaning. One file per job kind."""
