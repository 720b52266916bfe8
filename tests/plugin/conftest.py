"""The world of whole evaluate calls."""

from support.evaluating import census, world, zoo

__all__ = ["census", "world", "zoo"]
