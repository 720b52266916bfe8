"""Changes that somebody who wants to deceive, or a bad disk, might make."""

from __future__ import annotations

import random


def changed(data: bytes, chance: random.Random) -> bytes:
    """One change of a file: a bit turned, a byte taken out or put in, or two lines changed about."""
    at = chance.randrange(len(data))
    match chance.randrange(4):
        case 0:
            return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        case 1:
            return data[:at] + data[at + 1 :]
        case 2:
            return data[:at] + bytes([chance.randrange(256)]) + data[at:]
    lines = data.split(b"\n")
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)
