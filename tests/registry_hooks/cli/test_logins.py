"""Where the command finds the server and the login, and what it says when it does not."""

import socket
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from support.releasing import govern
from support.serving import ADMIN, PASSWORDS, SCRIPT, Process, Server, clean_environment, free_port, run

DONE, REFUSED, USAGE, NO_ANSWER = range(4)


def status(tmp_path: Path, *options: str, **env: str) -> tuple[int, str]:
    done = run("status", *options, env=clean_environment(tmp_path, **env), cwd=tmp_path)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_a_login_from_mlflows_credentials_file(governed: Server, tmp_path: Path) -> None:
    (tmp_path / ".mlflow").mkdir()
    file = tmp_path / ".mlflow" / "credentials"
    file.write_text(f"[mlflow]\nmlflow_tracking_username = raj\nmlflow_tracking_password = {PASSWORDS['raj']}\n")
    assert status(tmp_path, MLFLOW_TRACKING_URI=governed.uri)[0] == DONE
    # One value from the environment and one from the file, as in MLflow.
    code, told = status(tmp_path, MLFLOW_TRACKING_URI=governed.uri, MLFLOW_TRACKING_USERNAME="mei")
    assert code == NO_ANSWER and "did not accept the login: user mei" in told
    file.write_text("no ini file")
    code, told = status(tmp_path, MLFLOW_TRACKING_URI=governed.uri)
    assert code == USAGE and "[mlflow]" in told


def test_a_wrong_password_or_none_is_exit_code_3(governed: Server, tmp_path: Path) -> None:
    wrong = {"MLFLOW_TRACKING_USERNAME": "raj", "MLFLOW_TRACKING_PASSWORD": "not-the-password"}
    code, told = status(tmp_path, "--tracking-uri", governed.uri, **wrong)
    assert code == NO_ANSWER and "did not accept the login: user raj" in told and "not-the-password" not in told
    code, told = status(tmp_path, "--tracking-uri", governed.uri)
    assert code == NO_ANSWER and "set MLFLOW_TRACKING_USERNAME" in told
    code, told = status(tmp_path, "--tracking-uri", governed.uri, MLFLOW_TRACKING_TOKEN="abc")
    assert code == NO_ANSWER and "a token" in told


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", "set MLFLOW_TRACKING_URI"),
        ("sqlite:///mlflow.db", "'sqlite'"),
        ("postgresql://u:secret@db/mlflow", "'postgresql'"),
        ("mlruns", "'a path'"),
        ("http://", "http://"),
    ],
)
def test_an_address_that_is_no_web_address_is_a_usage_error(tmp_path: Path, address: str, told: str) -> None:
    code, said = status(tmp_path, MLFLOW_TRACKING_URI=address)
    assert (code, told in said, "secret" in said) == (USAGE, True, False)


def test_no_server_is_exit_code_3_and_says_that_nothing_was_done(tmp_path: Path) -> None:
    code, told = status(tmp_path, MLFLOW_TRACKING_URI=f"http://ana:secret@127.0.0.1:{free_port()}")
    assert code == NO_ANSWER and "nothing was done" in told and "secret" not in told


def test_a_write_that_gets_no_answer_is_not_said_to_have_failed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = clean_environment(tmp_path, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{silent.getsockname()[1]}")
        done = run("rollback", "churn", "--reason", "x", "--timeout", "0.3", env=env, cwd=tmp_path)
    assert done.returncode == NO_ANSWER and "may or may not have been done" in done.stderr


class _Forwarder(BaseHTTPRequestHandler):
    """Passes requests on to a server and counts them, so that a test sees what a command sends."""

    target = ""
    seen: list[str]
    answer: tuple[int, dict[str, str], bytes] | None = None

    def do_POST(self) -> None:
        self._pass_on()

    def do_GET(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append(f"{self.command} {self.path}")
        if self.answer:
            status, headers, content = self.answer
        else:
            sent = {name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers}
            got = requests.request(self.command, self.target + self.path, data=body, headers=sent, timeout=60)
            status, headers, content = got.status_code, {"Content-Type": got.headers["Content-Type"]}, got.content
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def forwarder(governed: Server) -> Iterator[tuple[str, type[_Forwarder]]]:
    handler = type("Forwarder", (_Forwarder,), {"target": governed.uri, "seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_rollback_is_exactly_one_request(governed: Server, forwarder: tuple[str, type[_Forwarder]]) -> None:
    address, handler = forwarder
    model = govern(governed)
    done = governed.cli("oncall", "rollback", model, "--reason", "x", "--tracking-uri", address)
    assert done.returncode == REFUSED
    assert handler.seen == ["POST /api/2.0/registry-hooks/rollback"]


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        ((404, {}, b"<html>"), NO_ANSWER, "does not run registry-hooks"),
        ((200, {}, b"<html>"), NO_ANSWER, "does not run registry-hooks"),
        ((500, {}, b"oops"), NO_ANSWER, "failed with HTTP 500: oops"),
        ((503, {}, b'{"error_code": "TEMPORARILY_UNAVAILABLE", "message": "busy"}'), NO_ANSWER, "busy"),
        ((403, {}, b"Permission denied"), REFUSED, "Permission denied"),
        ((302, {"Location": "http://u:secret@elsewhere/"}, b""), NO_ANSWER, "sends us on to http://elsewhere/"),
        ((400, {}, b'{"error_code": "RESOURCE_CONFLICT", "message": "no"}'), REFUSED, "no"),
    ],
)  # fmt: skip
def test_what_other_servers_answer_is_told_and_never_tried_again(
    governed: Server,
    forwarder: tuple[str, type[_Forwarder]],
    answer: tuple[int, dict[str, str], bytes],
    code: int,
    told: str,
) -> None:
    address, handler = forwarder
    handler.answer = answer
    done = governed.cli("oncall", "rollback", "m", "--reason", "x", "--tracking-uri", address)
    assert (done.returncode, told in done.stderr, "secret" in done.stderr) == (code, True, False), done.stderr
    assert len(handler.seen) == 1


def test_an_export_that_breaks_off_leaves_no_file(
    governed: Server, forwarder: tuple[str, type[_Forwarder]], tmp_path: Path
) -> None:
    address, handler = forwarder
    handler.answer = (200, {"Transfer-Encoding": "chunked"}, b"5\r\n{}\n{}\r\n")  # and no last chunk
    done = governed.cli("guest", "audit", "export", "--output", str(tmp_path / "log"), "--tracking-uri", address)
    assert done.returncode == NO_ANSWER and "broke off" in done.stderr
    assert list(tmp_path.iterdir()) == []


def self_signed(directory: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, and its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (directory / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (directory / "key.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    return directory / "cert.pem", directory / "key.pem"


def test_tls_is_checked_unless_told_otherwise(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    port = free_port()
    options = f"--ssl-certfile {certificate} --ssl-keyfile {key}"
    command = [str(SCRIPT), "server", "--workers", "1", "--port", str(port), "--uvicorn-opts", options]
    env = clean_environment(tmp_path, MLFLOW_AUTH_ADMIN_PASSWORD=PASSWORDS[ADMIN])
    server = Process(command, env, tmp_path)
    address = f"https://127.0.0.1:{port}"
    try:
        server.wait_until_healthy(address, verify=str(certificate))
        login = {"MLFLOW_TRACKING_USERNAME": ADMIN, "MLFLOW_TRACKING_PASSWORD": PASSWORDS[ADMIN]}
        code, told = status(tmp_path, "--tracking-uri", address, **login)
        assert code == NO_ANSWER and "no trusted TLS connection" in told
        for trust in ("MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE"):
            assert status(tmp_path, "--tracking-uri", address, **login, **{trust: str(certificate)}) == (DONE, "")
        assert status(tmp_path, "--tracking-uri", address, **login, MLFLOW_TRACKING_INSECURE_TLS="true") == (DONE, "")
    finally:
        assert server.stop() == []
