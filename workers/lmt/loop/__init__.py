"""The training loop. Modules here import torch at the top, so they are imported inside the functions that train."""
