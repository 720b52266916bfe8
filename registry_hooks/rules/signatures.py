"""Signatures over Evidence: Ed25519 in a DSSE envelope, and keys as PEM.

The signed bytes are the pre-authentication encoding of DSSE v1 (github.com/secure-systems-lab/dsse, protocol.md):
``"DSSEv1" SP len(type) SP type SP len(body) SP body``. The payload is the Evidence document in canonical form. A key's
id is the SHA-256 of its public DER form (SubjectPublicKeyInfo), so that nobody can give one key another's id.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.evidence import Evidence, dumps, loads
from registry_hooks.errors import Invalid

PAYLOAD_TYPE: Final = "application/vnd.mlflow-eval-plugin.evidence.v1+json"
SUFFIX: Final = ".dsse"
"""Of the envelope's file, beside the Evidence file that it signs."""
MOST_SIGNATURES: Final = 16


def new_key() -> Ed25519PrivateKey:
    """A new private key."""
    return Ed25519PrivateKey.generate()


def private_pem(key: Ed25519PrivateKey, passphrase: str | None) -> bytes:
    """PKCS #8 in PEM, encrypted where there is a passphrase."""
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def public_pem(key: Ed25519PublicKey) -> str:
    """SubjectPublicKeyInfo in PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_private(pem: bytes, passphrase: str | None = None) -> Ed25519PrivateKey:
    """A private key from PEM.

    Raises:
        Invalid: when it is no Ed25519 key in PEM, or the passphrase does not open it.
    """
    try:
        key = load_pem_private_key(pem, passphrase.encode() if passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Invalid(f"no private key can be read: {error}; registry-hooks key new makes one") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Invalid(f"expected an Ed25519 key, found {type(key).__name__}; registry-hooks key new makes one")
    return key


def read_public(pem: str) -> Ed25519PublicKey:
    """A public key from PEM.

    Raises:
        Invalid: when it is no Ed25519 public key in PEM.
    """
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Invalid(f"no public key can be read: {error}; give the .pub file of registry-hooks key new") from error
    if not isinstance(key, Ed25519PublicKey):
        raise Invalid(f"expected an Ed25519 key, found {type(key).__name__}; registry-hooks key new makes one")
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """``sha256:`` and the hex SHA-256 of the public key's DER form."""
    return "sha256:" + hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def sign(evidence: Evidence, key: Ed25519PrivateKey, envelope: bytes | None = None) -> bytes:
    """The envelope with one more signature; a new one where there is none.

    Raises:
        Invalid: when the envelope is none, or is one of another document.
    """
    payload = dumps(evidence)
    kept: list[dict[str, str]] = []
    if envelope is not None:
        held, kept = _opened(envelope)
        if held != payload:
            raise Invalid("the envelope holds another document; move it away, and sign anew")
    mine = {"keyid": key_id(key.public_key()), "sig": _text(key.sign(_encoded(payload)))}
    signatures = [*(each for each in kept if each["keyid"] != mine["keyid"]), mine]
    document = {"payload": _text(payload), "payloadType": PAYLOAD_TYPE, "signatures": signatures}
    return json.dumps(document, indent=1).encode()


def signers(envelope: bytes, keys: Mapping[str, str]) -> tuple[Evidence, tuple[str, ...]]:
    """The Evidence in an envelope, and the ids of those of ``keys`` (id → PEM) that signed it.

    Signatures by unknown keys count for nothing; one that claims a known key and does not verify spoils the whole.

    Raises:
        Invalid: when the envelope cannot be trusted to say what it says, and why.
    """
    payload, signatures = _opened(envelope)
    found = []
    for each in signatures:
        if each["keyid"] not in keys:
            continue
        public = read_public(keys[each["keyid"]])
        try:
            public.verify(_bytes(each["sig"], "signature"), _encoded(payload))
        except InvalidSignature as error:
            raise Invalid(f"the signature of key {each['keyid'][:19]}… is not over this document") from error
        found.append(each["keyid"])
    try:
        evidence = loads(payload)
    except EvidenceError as error:
        raise Invalid(f"the envelope holds no Evidence: {error}") from error
    if dumps(evidence) != payload:
        raise Invalid("the envelope's document is not in canonical form")
    return evidence, tuple(found)


def _encoded(payload: bytes) -> bytes:
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _opened(envelope: bytes) -> tuple[bytes, list[dict[str, str]]]:
    try:
        # As text: of bytes, json.loads would also take UTF-16 and what no UTF-8 decoder of another language takes.
        document: Any = json.loads(envelope.decode(), object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"the envelope is not JSON: {error}") from error
    if not isinstance(document, dict) or set(document) != {"payload", "payloadType", "signatures"}:
        raise Invalid("a DSSE envelope has payload, payloadType and signatures, and nothing else")
    if document["payloadType"] != PAYLOAD_TYPE:
        raise Invalid(f"expected the payload type {PAYLOAD_TYPE}, found {str(document['payloadType'])[:80]!r}")
    signatures = document["signatures"]
    well_formed = (
        isinstance(signatures, list)
        and 1 <= len(signatures) <= MOST_SIGNATURES
        and all(
            isinstance(each, dict) and set(each) == {"keyid", "sig"} and all(isinstance(v, str) for v in each.values())
            for each in signatures
        )
    )
    if not well_formed:
        raise Invalid(f"expected 1 to {MOST_SIGNATURES} signatures, each of a keyid and a sig")
    if len({each["keyid"] for each in signatures}) != len(signatures):
        raise Invalid("the envelope names a key twice")
    return _bytes(document["payload"], "payload"), signatures


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):  # of two members of one name another reader may take the other one
        raise ValueError("a member is given twice")
    return document


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: object, what: str) -> bytes:
    if not isinstance(text, str):
        raise Invalid(f"the envelope's {what} is no base64 text")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(f"the envelope's {what} is no base64 text: {error}") from error
    if _text(data) != text:  # the same bytes have one text only, or an envelope could be changed and still be accepted
        raise Invalid(f"the envelope's {what} is not base64 in its one form")
    return data
