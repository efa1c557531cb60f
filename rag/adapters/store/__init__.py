"""The two SQL files and their writers: the catalog (indexer) and the journal (API)."""
