"""How the reader was made; needs torch and the data sets."""
