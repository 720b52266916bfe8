"""Proofs of RFC 6962: the published vectors, every proof of small trees, and that no changed one holds."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_hooks.errors import Invalid
from registry_hooks.rules.log.checkpoints import Checkpoint
from registry_hooks.rules.log.merkle import Tree, leaf_hash
from registry_hooks.rules.log.notes import sign, vkey_of
from registry_hooks.rules.log.proof_texts import EntryProof, GrowthProof, grown, proven, read_proof
from registry_hooks.rules.log.proofs import (
    Hashes,
    Torn,
    complete,
    consistency,
    inclusion,
    is_consistent,
    is_included,
)
from registry_hooks.rules.log.tiles import bundle, split, tile_path, upper
from registry_hooks.rules.signatures import new_key

# The same test vectors of Google's certificate-transparency as in test_merkle: leaf (from 1), size, proof.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
INCLUSION = [
    (1, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"]),
    (6, 8, ["bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]),
    (3, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (2, 5, ["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
]  # fmt: skip
CONSISTENCY = [
    (1, 1, []),
    (1, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"]),
    (6, 8, ["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]),
    (2, 5, ["5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
]  # fmt: skip


def hashes_of(leaves: list[bytes], size: int | None = None) -> Hashes:
    tiles = {(level, number): tile for level, number, tile in upper(leaves, 0)}
    return Hashes(len(leaves) if size is None else size, lambda level, number: tiles[level, number])


def tree_of(leaves: list[bytes]) -> Tree:
    tree = Tree()
    for leaf in leaves:
        tree = tree.append(leaf)
    return tree


VECTORS = [leaf_hash(bytes.fromhex(each)) for each in LEAVES]


@pytest.mark.parametrize(("leaf", "size", "proof"), INCLUSION)
def test_inclusion_proofs_equal_the_published_vectors(leaf, size, proof):
    assert [each.hex() for each in inclusion(leaf - 1, hashes_of(VECTORS, size))] == proof


@pytest.mark.parametrize(("old", "new", "proof"), CONSISTENCY)
def test_consistency_proofs_equal_the_published_vectors(old, new, proof):
    assert [each.hex() for each in consistency(old, hashes_of(VECTORS, new))] == proof


def test_every_proof_of_trees_up_to_33_entries_holds():
    leaves = [leaf_hash(b"%d" % at) for at in range(33)]
    roots = [tree_of(leaves[:size]).root for size in range(34)]
    for size in range(1, 34):
        tree = hashes_of(leaves, size)
        assert tree.root(0, size) == roots[size]
        for index in range(size):
            assert is_included(leaves[index], index, size, inclusion(index, tree), roots[size])
        for old in range(size + 1):
            assert is_consistent(old, size, consistency(old, tree), roots[old], roots[size])


@pytest.mark.parametrize("size", [255, 256, 257, 511, 65_535, 65_536, 66_000])
def test_proofs_that_cross_tiles_hold(size):
    leaves = [leaf_hash(b"%d" % at) for at in range(size)]
    tree, root = hashes_of(leaves), tree_of(leaves).root
    for index in {0, 1, 254, size // 2, size - 2, size - 1}:
        assert is_included(leaves[index], index, size, inclusion(index, tree), root)
    for old in {each for each in (1, 255, 256, size // 3, size - 1) if each <= size}:
        assert is_consistent(old, size, consistency(old, tree), tree_of(leaves[:old]).root, root)


def test_a_tile_that_lacks_hashes_gives_no_proof():
    with pytest.raises(Torn):
        inclusion(0, Hashes(300, lambda level, number: []))


@given(st.integers(1, 300), st.randoms(use_true_random=False))
def test_no_changed_proof_holds(size, chance):
    leaves = [leaf_hash(b"%d" % at) for at in range(size)]
    tree, root, index, old = hashes_of(leaves), tree_of(leaves).root, chance.randrange(size), chance.randint(1, size)
    path, before = inclusion(index, tree), tree_of(leaves[:old]).root
    growth = consistency(old, tree)
    for changed in changes_of(path, chance):
        assert not is_included(leaves[index], index, size, changed, root)
    for changed in changes_of(growth, chance):
        assert not is_consistent(old, size, changed, before, root)
    other = chance.randrange(size)
    assert other == index or not is_included(leaves[index], other, size, path, root)
    assert not is_included(leaf_hash(b"another"), index, size, path, root)
    assert not is_consistent(old, size, growth, leaf_hash(b"another"), root)
    assert not is_included(leaves[index], size, size, path, root) and not is_included(root, -1, size, path, root)


def changes_of(path: list[bytes], chance: random.Random):
    yield [*path, bytes(32)]
    yield [bytes(32), *path]
    if path:
        yield path[:-1]
        yield path[1:]
        at = chance.randrange(len(path))
        turned = bytearray(path[at])
        turned[chance.randrange(32)] ^= 1 << chance.randrange(8)
        yield [*path[:at], bytes(turned), *path[at + 1 :]]
    if len(path) > 1 and path != path[::-1]:
        yield path[::-1]


KEY = new_key()
VKEY = vkey_of("example.com/log", KEY)


def signed_at(leaves: list[bytes]) -> bytes:
    tree = tree_of(leaves)
    return bytes(sign(Checkpoint("example.com/log", tree.size, tree.root).text, "example.com/log", KEY))


def test_a_proof_goes_through_text():
    entries = [b'{"seq":%d}' % at for at in range(300)]
    leaves = [leaf_hash(each) for each in entries]
    proof = EntryProof(17, tuple(inclusion(17, hashes_of(leaves))), signed_at(leaves), entries[17])
    assert read_proof(str(proof).encode()) == proof and proven(proof, [VKEY]).checkpoint.size == 300
    growth = GrowthProof(100, tuple(consistency(100, hashes_of(leaves))), signed_at(leaves))
    assert read_proof(str(growth).encode()) == growth
    assert grown(growth, signed_at(leaves[:100]), [VKEY]).checkpoint.size == 300
    with pytest.raises(Invalid, match="forked"):
        grown(growth, signed_at([leaf_hash(b"other"), *leaves[1:100]]), [VKEY])
    with pytest.raises(Invalid, match="not entry 18"):
        proven(proof, [VKEY], entries[18])


@given(st.data())
def test_no_changed_byte_of_a_proof_file_is_taken(data):
    entries = [b'{"seq":%d}' % at for at in range(9)]
    leaves = [leaf_hash(each) for each in entries]
    whole = str(EntryProof(4, tuple(inclusion(4, hashes_of(leaves))), signed_at(leaves), entries[4])).encode()
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Invalid):
        proof = read_proof(bytes(changed))
        if isinstance(proof, GrowthProof):
            raise Invalid("another kind of proof")
        proven(proof, [VKEY])


def test_tiles_are_where_and_what_the_specification_says():
    # c2sp.org/tlog-tiles: the path of tile 1234067, and the tiles of a tree of 70,000 entries.
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067" and tile_path("entries", 5, 3) == "tile/entries/005.p/3"
    widths: dict[int, list[int]] = {}
    for level, _, tile in upper([bytes(32)] * 70_000, 0):
        widths.setdefault(level, []).append(len(tile))
    assert widths == {0: [256] * 273 + [112], 1: [256, 17], 2: [1]}
    assert bundle([b"ab", b""]) == b"\x00\x02ab\x00\x00" and bundle([bytes(65_536)]) is None
    assert complete(split(b"".join(VECTORS))) == tree_of(VECTORS).root
