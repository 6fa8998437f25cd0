"""Pages of prompts: the list and the editor, versions, services."""
