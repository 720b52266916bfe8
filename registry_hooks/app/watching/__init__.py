"""What operators watch a server by: ids of requests, lines of the log, and numbers."""
