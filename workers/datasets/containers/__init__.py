"""Kinds of file that hold rows, one a file: how bytes become rows."""
