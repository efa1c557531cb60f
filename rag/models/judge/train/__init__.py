"""Training of the neural judge, one command each; torch is imported here only."""
