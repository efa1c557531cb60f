"""What connectors share: the contract, the scan diff, globs, pending hints, walking, watching."""
