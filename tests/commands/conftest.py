"""The world of whole evaluate calls."""

from support.evaluating import census, world

__all__ = ["census", "world"]
