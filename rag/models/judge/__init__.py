"""The neural judge: its weights, its card, and in `train` what made it."""
