"""Single sign-on by a header: which requests count as the proxy's, and whom they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry_hooks.app.people.sso import Came, user_of
from registry_hooks.errors import Invalid, Unauthenticated
from registry_hooks.mlflow_surface.sign_on import HEADER, PROXIES, SECRET_FILE, SECRET_HEADER, UNKNOWN_USERS, sign_on

OLD, NEW = b"o" * 32, b"n" * 40
BY_SECRET = {SECRET_FILE: "proxy.secret"}
BY_ADDRESS = {PROXIES: "10.0.0.5, 10.1.0.0/24, fd00::/8"}


@pytest.fixture(autouse=True)
def _secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "proxy.secret").write_bytes(NEW + b"\n" + OLD + b"\n")
    monkeypatch.chdir(tmp_path)


def came(*headers: tuple[str, bytes], peer: str | None = "10.0.0.5") -> Came:
    return Came(headers, peer)


def proof(secret: bytes = NEW) -> tuple[str, bytes]:
    return "x-registry-hooks-proxy", secret


def user(name: bytes = b"mei") -> tuple[str, bytes]:
    return "x-forwarded-user", name


def rules(request: Came, variables: dict[str, str]) -> list[str]:
    with pytest.raises(Unauthenticated) as caught:
        user_of(request, sign_on(variables))
    return [reason.rule for reason in caught.value.reasons]


def test_the_proxy_is_known_by_its_secret_its_address_or_both() -> None:
    assert user_of(came(user(), proof(), peer="1.2.3.4"), sign_on(BY_SECRET)) == "mei"
    assert user_of(came(user(), proof(OLD), peer=None), sign_on(BY_SECRET)) == "mei"  # while it is replaced
    for peer in ("10.0.0.5", "10.1.0.77", "fd12::1", "::ffff:10.0.0.5"):
        assert user_of(came(user(), peer=peer), sign_on(BY_ADDRESS)) == "mei"
    assert user_of(came(user(), proof()), sign_on(BY_SECRET | BY_ADDRESS)) == "mei"
    assert user_of(
        came(("remote-user", "mei@büro".encode()), proof()), sign_on({**BY_SECRET, HEADER: "Remote-User"})
    ) == ("mei@büro")


def test_what_did_not_come_through_the_proxy_is_refused() -> None:
    wrong = [b"", NEW[:-1], NEW + b"n", NEW.upper(), b"o" * 31, NEW + OLD, b"\xff" * 40]
    for secret in wrong:
        assert rules(came(user(), proof(secret)), BY_SECRET) == ["sso-proxy"]
    assert rules(came(user()), BY_SECRET) == ["sso-proxy"]
    for peer in ("10.0.0.6", "127.0.0.1", "fe80::1", "", None, "10.0.0.5.example", "unix:/run/x"):
        assert rules(came(user(), peer=peer), BY_ADDRESS) == ["sso-address"]
    assert rules(came(user(), proof(), peer="10.0.0.6"), BY_SECRET | BY_ADDRESS) == ["sso-address"]
    assert rules(came(user()), BY_SECRET | BY_ADDRESS) == ["sso-proxy"]


def test_with_nothing_set_every_request_is_refused() -> None:
    assert rules(came(user(), proof(), peer="127.0.0.1"), {}) == ["sso"]
    assert rules(came(user(b"admin"), ("authorization", b"Basic YWRtaW46eA==")), {}) == ["sso"]
    assert rules(came(), {}) == ["sso", "sso-header"]  # all reasons at once


@pytest.mark.parametrize("second", ["x-forwarded-user", "X-Forwarded-User", "x_forwarded_user", "X-FORWARDED_USER"])
def test_a_header_that_comes_twice_is_refused_in_whatever_spelling(second: str) -> None:
    assert rules(came(user(), (second, b"admin"), proof()), BY_SECRET) == ["sso-header"]
    assert rules(came((second, b"admin"), user(), proof()), BY_SECRET) == ["sso-header"]
    assert rules(came(user(), proof(b"guess"), ("x_registry_hooks_proxy", NEW)), BY_SECRET) == ["sso-proxy"]


@pytest.mark.parametrize(
    "name",
    [b"", b" ", b"mei, admin", b"mei,admin", b" mei", b"mei ", b"mei\tx", b"mei\x00", b"m\xff", b"x" * 256,
     b"mei\xe2\x80\xaenimda", b"me\xe2\x80\x8bi", b"me\xcc\x81"],
)  # fmt: skip
def test_what_can_be_no_name_is_refused(name: bytes) -> None:
    assert rules(came(user(name), proof()), BY_SECRET) == ["sso-header"]


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({SECRET_FILE: "nowhere"}, [SECRET_FILE]),
        ({SECRET_FILE: "short"}, [SECRET_FILE]),
        ({SECRET_FILE: "empty"}, [SECRET_FILE]),
        ({PROXIES: "0.0.0.0/0"}, [PROXIES]),
        ({PROXIES: "::/0"}, [PROXIES]),
        ({PROXIES: "*"}, [PROXIES]),
        ({PROXIES: "proxy.example"}, [PROXIES]),
        ({HEADER: "Authorization"}, [HEADER]),
        ({HEADER: "X Forwarded"}, [HEADER]),
        ({HEADER: "X-Registry-Hooks-Proxy"}, [SECRET_HEADER]),
        ({UNKNOWN_USERS: "yes", PROXIES: "here", SECRET_FILE: "nowhere"}, [SECRET_FILE, PROXIES, UNKNOWN_USERS]),
    ],
)
def test_what_is_set_wrongly_is_refused_by_the_variables_name(variables: dict[str, str], named: list[str]) -> None:
    Path("short").write_text("0" * 31)
    Path("empty").write_text("\n\n")
    with pytest.raises(Invalid) as caught:
        sign_on(variables)
    assert [reason.rule for reason in caught.value.reasons] == named
