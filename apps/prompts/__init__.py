"""Prompt Manager: prompts, their versions, and prompt services published from them."""
