"""The Evidence format: what ``loads`` must refuse, and that version 1 documents are read as they were written."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlflow_eval_plugin.canonical import EvidenceError, canonical, digest_of
from mlflow_eval_plugin.evaluators.config.keys import CONFIGS
from mlflow_eval_plugin.evidence import Check, Evidence, dumps, loads
from mlflow_eval_plugin.model_files import model_digest_at, model_files
from mlflow_eval_plugin.reports import render
from mlflow_eval_plugin.reports.png.figures import figures

ROOT = Path(__file__).parents[1]
GOLDEN = {  # kind, and what is predicted where it is not one of two classes
    "calibration": "6872b13454b918bf6a98b24752ab945527a910373fecb90759b4f9b99c08baaf",
    "comparison": "39e9af1901838c7d995d03e7fa516cd4f4c4b7d5aca078cbd9c7588eea9b399a",
    "disaggregated": "6738de99e12fac3420e6bb0c8f1009097bfa8db15f2a7a83188452e1d92d0887",
    "drift": "896c7d7574b96fd69cf9db8de61a3c2ebd3aaa0d7fafa3844df28038d2e4ff47",
    "calibration-multiclass": "67da7200ef6c49a73abae018960ea90052abaffb72acf15b1c10c32d59c8e06c",
    "disaggregated-multiclass": "8fb1d45c6c0b09fd26e77957cd4f8b56494e35c408243b23c3d67905cb3cade9",
    "comparison-multiclass": "1328f669fe7c664c2ed953fed41b18661492e1d677b3c943750207597e00cdbc",
    "comparison-regression": "58d48057e0a270f69e33ea389ea240d7bd4acb21d16dd1ab84c1802945c0e362",
    "calibration-regression": "0dcb9d79529b69a562b029af2e557474b6639a3f803ac5a99f25c51d55ce708a",
    "disaggregated-regression": "cacd1b40e76db1b415854514de33db2b2df61de0297cc6b98714209ca3cb936a",
}


def text(kind: str = "drift") -> str:
    return (ROOT / "tests" / "golden" / f"{kind}-v1.json").read_text()


def changed(**members: Any) -> str:
    """A document with other members, sealed again: its digest is right."""
    document = {**json.loads(text()), **members}
    del document["digest"]
    return json.dumps({**document, "digest": digest_of(document)})


@pytest.mark.parametrize("kind", GOLDEN)
def test_version_1_is_read_and_written_as_ever(kind: str) -> None:
    evidence = loads(text(kind))
    assert evidence.kind == kind.partition("-")[0]
    assert evidence.digest == "sha256:" + GOLDEN[kind]
    assert dumps(evidence).decode() == text(kind)
    assert len(render(evidence)) > 10_000 and figures(evidence)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
@example(
    [
        0.0,
        -0.0,
        1.0,
        -1.5,
        1e-4,
        9.9e-5,
        1e-6,
        1e-7,
        1e15,
        1e16,
        1e17,
        123456789012345680.0,
        1e21,
        5e-324,
        1.7976931348623157e308,
    ]
)
@example({"\U0001f600": 1, "\ufb33": 2, "€": '\x00\x1f\x7f\u2028"\\/\b\f\n\r\t'})
@settings(max_examples=300, deadline=None)
def test_the_canonical_form_is_that_of_rfc8785(document: Any) -> None:
    assert canonical(document) == rfc8785.dumps(document)


def test_the_canonical_form_of_the_rfcs_own_example() -> None:
    # RFC 8785, 3.2.2 and 3.2.3.
    given = (
        r'{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
        r' "string": "\u20ac$\u000F\u000aA\u0027\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}'
    )
    assert canonical(json.loads(given)).decode() == (
        r'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        r'"string":"€$\u000f\nA'
        "'"
        r'B\"\\\\\"/"}'
    )


@pytest.mark.parametrize(
    "document",
    [float("nan"), [float("inf")], {"a": 2**53}, -(2**53), {1: 2}, {"a": {1}}, "\ud800", {"\ud800": 1}, np.int64(3)],
    ids=str,
)
def test_what_has_no_canonical_form_is_refused(document: Any) -> None:
    with pytest.raises(EvidenceError, match="RFC 8785"):
        canonical(document)


def test_a_nesting_without_end_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(EvidenceError, match="RFC 8785"):
        canonical(endless)


def test_the_verdicts_of_the_golden_files() -> None:
    assert {kind: loads(text(kind)).verdict for kind in GOLDEN} == {
        "calibration": "insufficient",
        "comparison": "pass",
        "disaggregated": "fail",
        "drift": "fail",
        "comparison-multiclass": "insufficient",
        "comparison-regression": "fail",
        "calibration-multiclass": "fail",
        "disaggregated-multiclass": "insufficient",
        "calibration-regression": "fail",
        "disaggregated-regression": "pass",
    }
    assert {check.scope for check in loads(text("drift")).failed} >= {"AGEP"}


@pytest.mark.parametrize("cut", [1, 100, 5000])
def test_a_truncated_document(cut: int) -> None:
    with pytest.raises(EvidenceError, match=r"cut short|not readable"):
        loads(text()[:-cut])


def test_a_changed_document() -> None:
    with pytest.raises(EvidenceError, match="does not match its digest"):
        loads(text().replace('"verdict":"fail"', '"verdict":"pass"'))


def test_the_order_and_spacing_of_members_do_not_matter() -> None:
    document = json.loads(text())
    again = json.dumps(dict(reversed(document.items())), indent=2)
    assert loads(again) == loads(text())


@pytest.mark.parametrize("schema", ["mlflow-eval-plugin/evidence/2", None, 1])
def test_an_unknown_schema(schema: object) -> None:
    with pytest.raises(EvidenceError, match="unknown Evidence schema"):
        loads(changed(schema=schema))


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none(constant: str) -> None:
    with pytest.raises(EvidenceError, match="is not JSON"):
        loads(re.sub(r'"n_current":\d+', f'"n_current":{constant}', text()))


def test_a_member_that_is_there_twice() -> None:
    with pytest.raises(EvidenceError, match="'verdict' twice"):
        loads(text()[:-1] + ',"verdict":"pass"}')


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"kind": "Vibes!"}, "kind"),
        ({"verdict": "pass"}, "its checks give 'fail'"),
        ({"extra": 1}, "extra"),
        ({"subject": {}}, "subject.run_id"),
    ],
)
def test_a_document_that_is_sealed_and_wrong(members: dict[str, Any], message: str) -> None:
    with pytest.raises(EvidenceError, match=message):
        loads(changed(**members))


@pytest.mark.parametrize("other", ["[]", "3", "", "{", '"x"'])
def test_json_that_is_no_evidence(other: str) -> None:
    with pytest.raises(EvidenceError):
        loads(other)


def test_a_model_is_named_by_every_one_of_its_files(tmp_path: Path) -> None:
    def found() -> str:
        return model_digest_at(tmp_path)

    (tmp_path / "data").mkdir()
    (tmp_path / "MLmodel").write_text("flavors: {}")
    (tmp_path / "data" / "weights.bin").write_bytes(b"\0" * (2**20 + 1))
    seen = {found()}
    # By hand: the canonical form of the list, in the order of paths.
    files = ((tmp_path / path).read_bytes() for path in ("MLmodel", "data/weights.bin"))
    listed = [{"path": path, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
              for path, content in zip(("MLmodel", "data/weights.bin"), files, strict=True)]  # fmt: skip
    text = json.dumps(listed, separators=(",", ":"), sort_keys=True)
    assert seen == {"sha256:" + hashlib.sha256(text.encode()).hexdigest()}
    (tmp_path / "data" / "weights.bin").write_bytes(b"\0" * 2**20 + b"\1")
    seen.add(found())
    (tmp_path / "data" / "weights.bin").rename(tmp_path / "weights.bin")
    seen.add(found())
    assert len(seen) == 3


def test_only_mlflows_own_note_is_no_file_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: {}")
    note = tmp_path / "registered_model_meta"
    for text in ("model_name: credit\nmodel_version: '7'\n", "model_name: null\nmodel_version: null\n"):
        note.write_text(text)
        assert [path for path, _ in model_files(tmp_path)] == ["MLmodel"]
    for text in ("model_name: credit\nmodel_version: '7'\nhidden: weights\n", "\x80\x04weights", "", "model_name: x"):
        note.write_text(text)
        assert len(list(model_files(tmp_path))) == 2
    (tmp_path / "data").mkdir()
    note.write_text("model_name: credit\nmodel_version: '7'\n")
    note.rename(tmp_path / "data" / "registered_model_meta")
    assert len(list(model_files(tmp_path))) == 2


def test_the_format_is_described() -> None:
    described = (ROOT / "docs" / "evidence.md").read_text()
    members: set[str] = {field.alias or name for name, field in Evidence.model_fields.items()}
    for kind in GOLDEN:
        measured = loads(text(kind)).measurements
        members |= set(measured) | set(measured.get("metrics", {}))
    words = set(re.findall(r"[a-z][a-z0-9_]*", described))
    assert members - words == set()


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_key_is_described(kind: str) -> None:
    described = (ROOT / "docs" / "evaluators.md").read_text()
    keys = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", described, re.M))))
    assert set(CONFIGS[kind].model_fields) - keys == set()


def test_a_second_tolerance_is_written_where_there_is_one() -> None:
    # So that documents without one are written again as they were.
    one = Check(id="a", claim="", metric="m", scope="s", n=1, maximum=0.1, value=0.2, verdict="pass", reason="r")
    assert "passes_at" not in one.model_dump(mode="json")
    two = one.model_copy(update={"passes_at": 0.3})
    assert two.model_dump(mode="json")["passes_at"] == 0.3
    assert Check.model_validate(two.model_dump(mode="json")) == two
