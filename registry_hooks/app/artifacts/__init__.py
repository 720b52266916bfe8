"""Where files may be read and written through the server, and which of them stay."""
