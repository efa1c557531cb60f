"""The whole answering belt on questions of public sets: what it says, and when it says nothing."""
