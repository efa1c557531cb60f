"""Reading documents: bytes of many formats to canonical text and elements, in a child process.

`process.ParserPool` is the port's adapter. It alone runs in the caller's process; everything
that touches a document's bytes runs in `child`, under limits, and never has a network.
"""
