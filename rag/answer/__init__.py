"""Belt two: from a question to a verified answer with its receipt."""
