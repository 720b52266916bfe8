"""The engine of rows that come in parts: files, streams and clusters, of which no process holds all rows.

``passes`` is what such a source can do, one pass over all rows, and all that this engine knows of it. ``local`` does it
in this process, over batches of Arrow that can be read again.
"""
