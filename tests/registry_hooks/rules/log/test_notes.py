"""Signed notes, checkpoints and cosignatures: the published examples, and that nothing changed is taken."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from registry_hooks.errors import Invalid
from registry_hooks.rules.log.checkpoints import Checkpoint, opened, read_checkpoint
from registry_hooks.rules.log.notes import COSIGNS, Note, cosign, read_note, read_vkey, sign, verified, vkey_of

# The example of Go's golang.org/x/mod/sumdb/note, whose key is public.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# The key of Go's checksum database.
SUM_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


def test_the_note_of_gos_documentation_is_verified_and_written_back():
    note = read_note(GO_NOTE.encode())
    key = read_vkey(GO_KEY)
    assert verified(note, [key]) == (key,) and str(key) == GO_KEY and bytes(note).decode() == GO_NOTE
    assert str(read_vkey(SUM_KEY)) == SUM_KEY


def test_a_note_of_another_text_or_an_unknown_key_is_not():
    key = read_vkey(GO_KEY)
    changed = read_note(GO_NOTE.replace("answer", "Answer").encode())
    with pytest.raises(Invalid, match="not over this text"):
        verified(changed, [key])
    with pytest.raises(Invalid, match="none of the keys given"):
        verified(read_note(GO_NOTE.encode()), [read_vkey(SUM_KEY)])


LOG, WITNESS = Ed25519PrivateKey.from_private_bytes(b"l" * 32), Ed25519PrivateKey.from_private_bytes(b"w" * 32)
HEAD = Checkpoint("example.com/log", 20852163, bytes(range(32)))
LOG_KEY, WITNESS_KEY = vkey_of("example.com/log", LOG), vkey_of("witness.example/w1", WITNESS, COSIGNS)


def witnessed() -> Note:
    note = sign(HEAD.text, "example.com/log", LOG)
    return Note(note.text, (*note.signatures, cosign(note.text, "witness.example/w1", WITNESS, 1679315147)))


def test_a_checkpoint_is_written_as_the_specification_has_it():
    root = base64.b64encode(bytes(range(32))).decode()
    assert HEAD.text == f"example.com/log\n20852163\n{root}\n" and read_checkpoint(HEAD.text) == HEAD


def test_a_witness_signs_the_time_and_the_text():
    line = witnessed().signatures[1]
    assert line.data[:8] == (1679315147).to_bytes(8, "big") and len(line.data) == 72
    WITNESS.public_key().verify(line.data[8:], b"cosignature/v1\ntime 1679315147\n" + HEAD.text.encode())
    signed = opened(bytes(witnessed()), [LOG_KEY, WITNESS_KEY])
    assert signed.checkpoint == HEAD and signed.witnesses == {"witness.example/w1": 1679315147}


def test_a_witness_alone_makes_no_checkpoint():
    with pytest.raises(Invalid, match="witnesses alone"):
        opened(bytes(witnessed()), [WITNESS_KEY])


def test_a_key_of_one_log_says_nothing_about_another():
    other = sign(Checkpoint("example.com/other", 1, bytes(32)).text, "example.com/log", LOG)
    with pytest.raises(Invalid, match=r"is of the log 'example.com/other'"):
        opened(bytes(other), [LOG_KEY])


@given(st.data())
def test_no_changed_checkpoint_says_something_else(data):
    whole = bytes(witnessed())
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        signed = opened(bytes(changed), [LOG_KEY, WITNESS_KEY])
    except Invalid:
        return
    # A line of whom nobody knows may say anything: what is signed by those who count has not changed.
    assert signed.checkpoint == HEAD and signed.keys in ((LOG_KEY,), (LOG_KEY, WITNESS_KEY))
    assert len(signed.keys) == 1, "both lines were taken, and so neither was changed"


BAD_NOTES = {
    "nothing": b"",
    "no blank line": b"text\n\xe2\x80\x94 a AAAAAAAA\n",
    "no signature": b"text\n\n",
    "no last newline": GO_NOTE.encode()[:-1],
    "a carriage return": GO_NOTE.replace("\n", "\r\n").encode(),
    "no UTF-8": b"\xff\n" + GO_NOTE.encode(),
    "a hyphen for a dash": GO_NOTE.replace("\u2014", "-").encode(),
    "a short signature": b"text\n\n\xe2\x80\x94 a AAAA\n",
    "base64 in another form": GO_NOTE.replace("nAM=", "nAN=").encode(),
    "a name with a plus": GO_NOTE.replace("PeterNeumann x", "Peter+Neumann x").encode(),
    "a second newline": (GO_NOTE + "\n").encode(),
    "too many signatures": (GO_NOTE + GO_NOTE.splitlines(keepends=True)[-1] * 100).encode(),
    "too long": b"a" * 1_000_001,
}


@pytest.mark.parametrize("data", BAD_NOTES.values(), ids=BAD_NOTES)
def test_what_is_no_note_is_refused(data):
    with pytest.raises(Invalid):
        verified(read_note(data), [read_vkey(GO_KEY)])


BAD_HEADS = ["", "a\n1\n", "a\n01\nAAAA\n", "a\n-1\nAAAA\n", "a\n1\nAAAA\n", "\n1\nAAAA\n",
             "a\n1_0\n" + "A" * 43 + "=\n",
             "a\n1\n" + "A" * 43 + "=\n\n", "a\n\u0661\n" + "A" * 43 + "=\n", "a\n1\n" + "A" * 43 + "="]  # fmt: skip


@pytest.mark.parametrize("text", BAD_HEADS)
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(Invalid):
        read_checkpoint(text)


BAD_KEYS = ["", "a", "a+b", "a+00000000+AAAA", GO_KEY.replace("c74f20a3", "c74f20a4"), GO_KEY.replace("Peter", "peter"),
            GO_KEY.replace("+AR", "+Ah"), GO_KEY[:-4], "a b" + GO_KEY]  # fmt: skip


@pytest.mark.parametrize("text", BAD_KEYS)
def test_what_is_no_key_is_refused(text):
    with pytest.raises(Invalid):
        read_vkey(text)
