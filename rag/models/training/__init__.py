"""What the training of Sworn's own models shares: tables of rows, and the loop."""
