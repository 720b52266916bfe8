"""The Python API: what people and programs ask of a governed server, over HTTP.

Importing it takes the standard library only; ``requests`` is imported by the first call.
"""

from __future__ import annotations

from registry_hooks.client.calls import Client

__all__ = ["Client"]
