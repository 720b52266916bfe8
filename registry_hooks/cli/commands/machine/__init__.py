"""Commands of the server's own machine, which are given the databases' addresses and ask no server."""
