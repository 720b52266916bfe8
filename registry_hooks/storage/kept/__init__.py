"""What follows from the entries and is kept beside them: states as they are read, and what waits for people."""
