"""The first judge: its weights, its model card, and the recipe that makes them."""
