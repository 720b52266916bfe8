"""RFC 6962's tree: known vectors, and that any change is found and named."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_hooks.rules.log.merkle import Columns, Growing, StoredEntry, Tree, leaf_hash, node_hash, verify

# Test vectors of Google's certificate-transparency implementation of RFC 6962 (merkletree tests): eight leaves and the
# root after each.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_the_empty_tree_is_the_hash_of_nothing():
    assert Tree().root.hex() == hashlib.sha256(b"").hexdigest()


def test_roots_equal_the_published_vectors():
    tree, roots = Tree(), []
    for leaf in LEAVES:
        tree = tree.append(leaf_hash(bytes.fromhex(leaf)))
        roots.append(tree.root.hex())
    assert roots == ROOTS


def recursive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written there."""
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(recursive_root(leaves[:k]), recursive_root(leaves[k:]))


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=70))
def test_appending_gives_the_recursive_definition(leaves):
    tree, growing = Tree(), Growing()
    for leaf in leaves:
        tree = tree.append(leaf_hash(leaf))
        growing.append(leaf_hash(leaf))
        assert growing.root == tree.root and growing.tree() == tree
    assert tree.root == recursive_root(leaves)


def ledger(size: int) -> tuple[list[StoredEntry], Tree]:
    tree, rows = Tree(), []
    for seq in range(1, size + 1):
        text = json.dumps({"seq": seq, "tree": tree.root.hex(), "what": f"entry {seq}"}).encode()
        rows.append(StoredEntry(seq, text, leaf_hash(text).hex()))
        tree = tree.append(leaf_hash(text))
    return rows, tree


def test_an_untouched_ledger_is_sound():
    rows, head = ledger(50)
    assert verify(rows, head).ok and verify(rows, head).tree == head


@given(st.data())
def test_any_changed_byte_is_named_and_blames_nobody_else(data):
    rows, head = ledger(20)
    at = data.draw(st.integers(0, 19))
    place = data.draw(st.integers(0, len(rows[at].entry) - 1))
    bit = data.draw(st.integers(0, 7))
    text = bytearray(rows[at].entry)
    text[place] ^= 1 << bit
    rows[at] = StoredEntry(at + 1, bytes(text), rows[at].leaf_hash)
    found = verify(rows, head)
    assert {problem.seq for problem in found.problems} <= {at + 1, at} and at + 1 in {p.seq for p in found.problems}


@pytest.mark.parametrize("at", [0, 7, 18])
def test_an_entry_changed_with_its_leaf_hash_is_still_named(at):
    rows, head = ledger(20)
    text = rows[at].entry.replace(b"what", b"WHAT")
    rows[at] = StoredEntry(at + 1, text, leaf_hash(text).hex())
    assert [problem.seq for problem in verify(rows, head).problems] == [at + 1]


def test_the_newest_entry_changed_with_its_leaf_hash_differs_from_the_head():
    rows, head = ledger(20)
    text = rows[-1].entry.replace(b"what", b"WHAT")
    rows[-1] = StoredEntry(20, text, leaf_hash(text).hex())
    assert [problem.seq for problem in verify(rows, head).problems] == [20]


def test_a_missing_entry_is_named():
    rows, head = ledger(20)
    del rows[10]
    assert verify(rows, head).problems[0].seq == 11


def test_missing_newest_entries_are_found():
    rows, head = ledger(20)
    (problem,) = verify(rows[:-2], head).problems
    assert problem.seq is None and "20 entries" in problem.what and "18" in problem.what


FILED = [("churn", "promoted", "churn"), (None, "policy-applied", None), (None, "key-trusted", ":trust")]


@pytest.mark.parametrize(("model", "action", "scope"), FILED)
def test_a_row_filed_under_another_name_is_named(model, action, scope):
    text = json.dumps({"seq": 1, "tree": Tree().root.hex(), "model": model, "action": action}).encode()
    leaf, head = leaf_hash(text).hex(), Tree().append(leaf_hash(text))
    assert verify([StoredEntry(1, text, leaf, Columns(scope, action))], head).ok
    for columns in (Columns("other", action), Columns(scope, "rejected")):
        (problem,) = verify([StoredEntry(1, text, leaf, columns)], head).problems
        assert problem.seq == 1 and "filed under another name" in problem.what
