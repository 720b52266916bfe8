"""What is done on the server's own machine, with the databases' own addresses and without the server."""
