"""Signed Evidence and signed Proposals: what is changed, replayed or signed by another is not accepted.

An envelope counts as accepted when `signers` names a key for it. Of a mutated one that must never be so, unless it is
the same JSON document in other white space, escapes or order of members, which says the same thing.
"""

from __future__ import annotations

import base64
import json
import os
import random
from datetime import datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from support.world import MODEL, POLICY, evidence_bytes, refused, rules_of

from mlflow_eval_plugin.evidence import dumps, loads
from registry_hooks.errors import Invalid, NotFound, Refused, RegistryError
from registry_hooks.records import Approval, EvidenceRef, ModelState, Nomination, Proposal
from registry_hooks.rules import signatures as envelopes
from registry_hooks.rules.approval.approvals import count, still_signed
from registry_hooks.rules.approval.people import Facts
from registry_hooks.rules.policy_file import load_policy, policy_digest
from registry_hooks.rules.signatures import (
    key_id,
    new_key,
    private_pem,
    public_pem,
    read_private,
    read_public,
    sign,
    signers,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
MUTATIONS = int(os.environ.get("REGISTRY_HOOKS_MUTATIONS", "10000"))
EVIDENCE = [loads(evidence_bytes(f"run{n}", "drift", "pass", "sha256:" + f"{n}" * 64, AT)) for n in range(3)]
ALICE, BOB, EVE = new_key(), new_key(), new_key()
TRUSTED = {key_id(key.public_key()): public_pem(key.public_key()) for key in (ALICE, BOB)}


def ids(*keys):
    return tuple(key_id(key.public_key()) for key in keys)


# The envelope -----------------------------------------------------------------------------------------------------


def test_the_signed_bytes_are_those_of_the_dsse_specification(monkeypatch):
    monkeypatch.setattr(envelopes, "PAYLOAD_TYPE", "http://example.com/HelloWorld")
    assert envelopes._encoded(b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_signing_and_reading_back():
    one = sign(EVIDENCE[0], ALICE)
    assert signers(one, TRUSTED) == (EVIDENCE[0], ids(ALICE))
    both = sign(EVIDENCE[0], BOB, one)
    assert signers(both, TRUSTED) == (EVIDENCE[0], ids(ALICE, BOB))
    again = sign(EVIDENCE[0], ALICE, both)
    assert sorted(signers(again, TRUSTED)[1]) == sorted(ids(ALICE, BOB))
    assert len(json.loads(again)["signatures"]) == 2
    assert base64.b64decode(json.loads(one)["payload"]) == dumps(EVIDENCE[0])


def test_a_key_that_nobody_trusts_signs_for_nobody():
    assert signers(sign(EVIDENCE[0], EVE), TRUSTED) == (EVIDENCE[0], ())
    assert signers(sign(EVIDENCE[0], ALICE), {}) == (EVIDENCE[0], ())


def test_an_envelope_of_another_document_is_not_signed_over():
    with pytest.raises(Invalid, match="another document"):
        sign(EVIDENCE[1], BOB, sign(EVIDENCE[0], ALICE))


def _envelope(payload=None, kind=envelopes.PAYLOAD_TYPE, signatures=None, **more):
    document = json.loads(sign(EVIDENCE[0], ALICE))
    document["payloadType"] = kind
    if payload is not None:
        document["payload"] = payload
    if signatures is not None:
        document["signatures"] = signatures
    return json.dumps({**document, **more}).encode()


def _signature(payload=None, key=ALICE, keyid=None):
    text = dumps(EVIDENCE[0]) if payload is None else payload
    signature = base64.b64encode(key.sign(envelopes._encoded(text))).decode()
    return {"keyid": keyid or ids(key)[0], "sig": signature}


def _with_a_document(text):
    return _envelope(base64.b64encode(text).decode(), signatures=[_signature(text)])


SPOILT = {
    "another payload type": _envelope(kind="application/vnd.in-toto+json"),
    "another key's signature under a trusted id": _envelope(signatures=[_signature(key=EVE, keyid=ids(ALICE)[0])]),
    "one good, one bad": _envelope(signatures=[_signature(), _signature(key=EVE, keyid=ids(BOB)[0])]),
    "a key named twice": _envelope(signatures=[_signature(), _signature()]),
    "no signature": _envelope(signatures=[]),
    "too many signatures": _envelope(signatures=[_signature(keyid=f"k{n}", key=EVE) for n in range(17)]),
    "signatures that are none": _envelope(signatures=[1]),
    "signatures that are text": _envelope(signatures="abc"),
    "a number for a signature": _envelope(signatures=[{"keyid": ids(ALICE)[0], "sig": 1}]),
    "a signature with more": _envelope(signatures=[{**_signature(), "cert": ""}]),
    "more members": _envelope(more=1),
    "no payload": b'{"payloadType": "x", "signatures": []}',
    "a list": b"[]",
    "no JSON": b"{",
    "deep JSON": b"[" * 100_000,
    "no UTF-8": sign(EVIDENCE[0], ALICE).replace(b"\n", b"\xff"),
    "UTF-16": sign(EVIDENCE[0], ALICE).decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + sign(EVIDENCE[0], ALICE),
    "a payload member twice": sign(EVIDENCE[0], ALICE).replace(b"{", b'{"payload": "e30=",', 1),
    "a sig member twice": sign(EVIDENCE[0], ALICE).replace(b'"sig"', b'"sig": "AAAA", "sig"'),
    "not Evidence, though signed": _with_a_document(b"{}"),
    "Evidence in another form, though signed": _with_a_document(json.dumps(json.loads(dumps(EVIDENCE[0]))).encode()),
}


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_envelope_is_refused(spoilt):
    with pytest.raises(Invalid):
        signers(spoilt, TRUSTED)


def test_keys_as_files():
    assert ids(read_private(private_pem(ALICE, None))) == ids(ALICE)
    assert ids(read_private(private_pem(ALICE, "open sesame"), "open sesame")) == ids(ALICE)
    assert key_id(read_public(public_pem(ALICE.public_key()))) == ids(ALICE)[0]
    other = generate_private_key(SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for wrong in (
        lambda: read_private(private_pem(ALICE, "open sesame")),
        lambda: read_private(private_pem(ALICE, "open sesame"), "sesame"),
        lambda: read_private(private_pem(ALICE, None), "sesame"),
        lambda: read_private(b"key"),
        lambda: read_private(pem),
        lambda: read_public("key"),
        lambda: read_public(public),
        lambda: read_public(private_pem(ALICE, None).decode()),
    ):
        with pytest.raises(Invalid):
            wrong()


# Mutations --------------------------------------------------------------------------------------------------------


def _flip(rng, text):
    at = rng.randrange(len(text))
    return text[:at] + bytes([text[at] ^ (1 << rng.randrange(8))]) + text[at + 1 :]


def _cut(rng, text):
    start = rng.randrange(len(text))
    return text[:start] + text[start + rng.randrange(1, 40) :]


def _repeat(rng, text):
    start = rng.randrange(len(text))
    return text[:start] + text[start : start + rng.randrange(1, 40)] + text[start:]


def _base64(rng, text):
    """Other texts of the same bytes: without padding, URL-safe, broken into lines, with spare bits set."""
    document = json.loads(text)
    holder, member = rng.choice([(document, "payload"), (document["signatures"][0], "sig")])
    held = holder[member]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    spare = held.rstrip("=")
    spare_bits = letters[letters.index(spare[-1]) ^ rng.randrange(1, 4)]
    forms = [
        spare,
        held + "=",
        held + "\n",
        " " + held,
        held[:8] + "\n" + held[8:],
        held + "AAAA",
        held.replace("+", "-").replace("/", "_"),
        spare[:-1] + spare_bits + "=" * (len(held) - len(spare)),
    ]
    holder[member] = rng.choice(forms)
    return json.dumps(document).encode()


def _swap(rng, text):
    """A signature, a key's id or a payload of another envelope."""
    document, other = json.loads(text), json.loads(sign(rng.choice(EVIDENCE), rng.choice([ALICE, BOB, EVE])))
    what = rng.choice(["payload", "sig", "keyid", "signatures"])
    if what in ("payload", "signatures"):
        document[what] = other[what]
    else:
        document["signatures"][0][what] = other["signatures"][0][what]
    return json.dumps(document).encode()


def _twice(rng, text):
    """A member twice, the good one first or last."""
    document = json.loads(sign(rng.choice(EVIDENCE), EVE))
    member = rng.choice(["payload", "signatures", "payloadType"])
    extra = f'"{member}": {json.dumps(document[member])}'.encode()
    return b"{" + extra + b"," + text[1:] if rng.random() < 0.5 else text.rstrip()[:-1] + b"," + extra + b"}"


def _reorder(rng, text):
    """The same document in other order and white space, with one member taken away or a letter's case changed."""
    document = json.loads(text)
    members = list(document.items())
    rng.shuffle(members)
    if rng.random() < 0.5:
        members.pop()
    else:
        members = [(rng.choice([str.upper, str.title])(name), value) for name, value in members]
    return json.dumps(dict(members), indent=rng.choice([None, 1, 4])).encode()


MUTATE = [_flip, _cut, _repeat, _base64, _swap, _twice, _reorder]


def _says_the_same(one, other):
    """Whether both are the same JSON document, each member once."""
    try:
        pairs = json.loads(other.decode(), object_pairs_hook=lambda pairs: sorted(pairs, key=lambda pair: pair[0]))
    except (ValueError, TypeError):
        return False
    return pairs == json.loads(one, object_pairs_hook=lambda pairs: sorted(pairs, key=lambda pair: pair[0]))


def _is_whole_replay(mutated):
    """Whether it is word for word another envelope that was really signed: true, but of another document."""
    try:
        document = json.loads(mutated)
        payload = base64.b64decode(document["payload"])
        whole = [json.loads(sign(each, key)) for each in EVIDENCE if dumps(each) == payload for key in (ALICE, BOB)]
    except (ValueError, KeyError, TypeError):
        return False
    return document in whole


def test_mutated_envelopes_are_not_accepted():
    rng = random.Random(20261125)
    good = [sign(evidence, key) for evidence in EVIDENCE for key in (ALICE, BOB)]
    accepted, same = [], 0
    for turn in range(MUTATIONS):
        original = rng.choice(good)
        mutated = MUTATE[turn % len(MUTATE)](rng, original)
        if _says_the_same(original, mutated):
            same += 1
            continue
        try:
            evidence, by = signers(mutated, TRUSTED)
        except Invalid:
            continue
        if by and not (evidence in EVIDENCE and _is_whole_replay(mutated)):
            accepted.append(mutated)
    assert accepted == []
    assert same < MUTATIONS / 5


# Mutated approvals, judged as the rules judge them ----------------------------------------------------------------

PEOPLE = load_policy(POLICY)
REF = EvidenceRef(kind="drift", digest="sha256:" + "1" * 64, verdict="pass", created_at=AT, run_id="r", path="e.json")
NOMINATION = Nomination(version=2, evidence=(REF,), files_digest="sha256:" + "2" * 64, actor="ana", at=AT)


def _proposal(number, requester="ana", **changed):
    body = {
        "id": f"P-{number}", "model": MODEL, "version": 2, "requester": requester, "created_at": AT,
        "expires_at": AT + timedelta(days=7), "expected_champion": 1, "evidence": (REF,),
        "files_digest": NOMINATION.files_digest, "policy_digest": policy_digest(POLICY), "comment": "please",
        "digest": f"sha256:{number:064x}",
    }  # fmt: skip
    return Proposal(**{**body, **changed})


def _approval(proposal, actor, **changed):
    body = {
        "proposal": proposal.id, "proposal_digest": proposal.digest, "actor": actor, "roles": ("risk",),
        "decision": "yes", "meaning": "I have read it", "comment": "fine", "at": AT,
    }  # fmt: skip
    return Approval(**{**body, **changed})


def test_mutated_approvals_fill_no_seat():
    rng = random.Random(7)
    state = ModelState(model=MODEL, nominations={2: NOMINATION}, authors={2: "ana"})
    facts = Facts(AT + timedelta(hours=1), PEOPLE, policy_digest(POLICY))
    mine = _proposal(1)
    both = mine.model_copy(update={"approvals": (_approval(mine, "raj"), _approval(mine, "mei"))})
    assert count(both, state, facts) == {"risk": 2}
    forged = [
        lambda: {"proposal_digest": _flip(rng, mine.digest.encode()).decode("latin-1")},
        lambda: {"proposal_digest": _proposal(rng.randrange(2, 10**6)).digest},
        lambda: {"proposal_digest": mine.digest.upper()},
        lambda: {"decision": "no"},
        lambda: {"roles": rng.choice([(), ("author",), ("Risk",), ("risk ",), ("oncall", "author")])},
        lambda: {"actor": "ana", "for_whom": rng.choice([None, "raj", "mei"])},
        lambda: {"for_whom": rng.choice(["ana", "oncall", "Raj", "raj ", "admin", "nobody"])},
        lambda: {"actor": rng.choice(["RAJ", "raj\0", "mei ", "eve", "", "oncall"])},
        lambda: {"actor": rng.choice(["mei"])},  # a second signature of one person
    ]
    for _ in range(MUTATIONS // len(forged)):
        for forge in forged:
            changed = forge()
            false = _approval(mine, "raj").model_copy(update=changed)
            signed = mine.model_copy(update={"approvals": (_approval(mine, "mei"), false)})
            assert count(signed, state, facts) == {"risk": 1}, changed
            if changed.get("actor") != "mei":
                assert still_signed(false, mine, state, facts) == frozenset(), changed


# At the desk ------------------------------------------------------------------------------------------------------

SIGNED = POLICY.replace("{kind: drift}", "{kind: drift, signed_by: [evaluator, auditor]}")


def put_envelope(world, version, kind="drift", key=ALICE, of=None):
    """Sign a version's Evidence, or lay the envelope of another version's beside it."""
    file = world.folder(version).parent / "evidence" / f"{kind}.json"
    evidence = loads(((world.folder(of).parent / "evidence" / f"{kind}.json") if of else file).read_bytes())
    file.with_name(file.name + envelopes.SUFFIX).write_bytes(sign(evidence, key))
    return file.with_name(file.name + envelopes.SUFFIX)


def trust(world, key=ALICE, name="evaluator"):
    with world.acting("admin"):
        return world.desk.key_trust(name, public_pem(key.public_key()))["key"]["id"]


def nominate(world, version=1):
    with world.acting("ana"):
        return world.desk.nominate(MODEL, version)


def test_evidence_must_be_signed_where_the_policy_says_so(world):
    world.govern(SIGNED)
    world.quickly(2)
    unsigned = refused(Refused, world, lambda: nominate(world))
    assert rules_of(unsigned) == ["evidence-signature"] and "evidence sign" in unsigned.reasons[0].mend
    put_envelope(world, 1)
    assert "no trusted key" in str(refused(Refused, world, lambda: nominate(world)))
    trust(world, EVE, "somebody")
    put_envelope(world, 1, key=EVE)
    assert "signed by somebody" in str(refused(Refused, world, lambda: nominate(world)))
    trusted = trust(world)
    put_envelope(world, 1, kind="calibration")
    refused(Refused, world, lambda: nominate(world))
    put_envelope(world, 1, of=2)
    assert rules_of(refused(Refused, world, lambda: nominate(world))) == ["evidence-signature"]
    put_envelope(world, 1)
    signed = {item["kind"]: item["signed_by"] for item in nominate(world)["evidence"]}
    assert signed == {"calibration": [trusted], "disaggregated": [], "drift": [trusted]}
    world.promote(1)
    world.assert_sound()


def test_a_spoilt_envelope_beside_evidence_is_named(world):
    world.govern(SIGNED)
    world.quickly()
    trust(world)
    file = put_envelope(world, 1)
    file.write_bytes(file.read_bytes().replace(b'"sig": "', b'"sig": "AA'))
    assert "evidence/drift.json" in str(refused(Invalid, world, lambda: nominate(world)))


def test_a_key_revoked_after_the_nomination_stops_request_and_promotion(world):
    world.govern(SIGNED)
    world.quickly(2)
    trusted = trust(world)
    put_envelope(world, 1)
    world.ask(1)
    world.approve(1)
    put_envelope(world, 2)
    with world.acting("admin"):
        world.desk.key_revoke(trusted, "it was on a stolen laptop")
    with world.acting("ana"):
        assert not world.desk.plan(MODEL, 1)["allowed"]
        error = refused(Refused, world, lambda: world.desk.promote(MODEL, 1))
    assert rules_of(error) == ["evidence-signature"] and "revoked key evaluator" in str(error)
    refused(Refused, world, lambda: nominate(world, 2))
    with world.acting("admin"):
        with pytest.raises(Refused, match="never revoked"):
            world.desk.key_trust("evaluator", public_pem(ALICE.public_key()))
        with pytest.raises(NotFound):
            world.desk.key_revoke(trusted, "again")
    trust(world, BOB, "auditor")
    put_envelope(world, 2, key=BOB)
    nominate(world, 2)
    world.assert_sound()


def test_keys_are_for_administrators(world):
    for call in (
        lambda: world.desk.key_trust("evaluator", public_pem(ALICE.public_key())),
        lambda: world.desk.key_revoke(ids(ALICE)[0], "because"),
    ):
        with world.acting("raj"), pytest.raises(Refused):
            call()
    trust(world)
    with world.acting("admin"), pytest.raises(Refused, match="trusted as evaluator"):
        world.desk.key_trust("other", public_pem(ALICE.public_key()))
    assert [key["name"] for key in world.desk.keys()["keys"]] == ["evaluator"]


def test_replayed_approvals_are_not_accepted(world):
    """Hundreds of signatures under what is withdrawn, rejected, expired, superseded, or of another model."""
    rng = random.Random(3)
    world.govern(POLICY.replace(f"[{MODEL}]", f"[{MODEL}, other]"))
    world.quickly(2)
    world.quickly(1, model="other")
    gone = []
    for ending in ("withdrawn", "rejected", "expired"):
        with world.acting("ana"):
            world.desk.nominate(MODEL, 1)
            asked = world.desk.request(MODEL, 1)
        world.approve(1, "raj")
        gone.append((asked["id"], asked["digest"]))
        if ending == "withdrawn":
            with world.acting("ana"):
                world.desk.withdraw(MODEL, 1, comment="not yet")
        elif ending == "rejected":
            with world.acting("mei"):
                world.desk.reject(MODEL, 1, comment="no")
        else:
            world.later(days=8)
    with world.acting("ana"):
        world.desk.nominate("other", 1)
        elsewhere = world.desk.request("other", 1)
        world.desk.nominate(MODEL, 1)
        now = world.desk.request(MODEL, 1)
    gone.append((elsewhere["id"], elsewhere["digest"]))
    before = world.desk.audit_verify()
    for _ in range(MUTATIONS // 40):
        name, version = rng.choice(["raj", "mei"]), rng.choice([None, 1, 2])
        proposal, digest = rng.choice(gone)
        which = rng.choice(
            [
                {"proposal": proposal},
                {"proposal": proposal, "digest": digest},
                {"proposal": proposal, "digest": now["digest"]},
                {"digest": digest},
                {"proposal": now["id"], "digest": digest},
                {"proposal": now["id"], "digest": now["digest"][:-1]},
                {"proposal": now["id"].lower()},
                {"proposal": now["id"] + " "},
            ]
        )
        with world.acting(name), pytest.raises(RegistryError):
            world.desk.approve(MODEL, version, comment="again", **which)
    assert world.desk.audit_verify() == before
    world.approve(1)
    with world.acting("ana"):
        world.desk.promote(MODEL, 1)
