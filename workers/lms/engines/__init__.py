"""Serving engines, one file each: how to start one, give it a prompt, and read how busy it is."""
