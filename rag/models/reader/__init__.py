"""The reader that Sworn ships: weights, card, and the recipe beside them."""
