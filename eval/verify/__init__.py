"""`python -m eval verify`: a judge measured on labelled sets, minimal pairs and the clock."""
