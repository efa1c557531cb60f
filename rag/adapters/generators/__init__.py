"""Writers of drafts: the sources' own sentences, or a language model of the user's choice."""
