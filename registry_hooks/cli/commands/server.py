"""The ``server`` command: what may not be combined, and why. The start itself is in `launch`."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from registry_hooks.cli.failures import USAGE, Failure
from registry_hooks.cli.output import heading
from registry_hooks.errors import Invalid
from registry_hooks.mlflow_surface import settings, sign_on
from registry_hooks.mlflow_surface.http_routes import POWERS
from registry_hooks.mlflow_surface.loosening import ALLOW, ALLOW_ORIGINS, origins_in, powers_in, warnings
from registry_hooks.mlflow_surface.releases import LEGACY_PASSWORD
from registry_hooks.storage.databases import DATABASES

UNFIT = {
    "--artifacts-only": "such a server has no registry to govern",
    "--enable-workspaces": "roles of one workspace would count in another; run one governed server a workspace",
    "--dev": "MLflow reloads only its own default app",
    "--disable-security-middleware": "any web page could then act with a visitor's login",
}
UNFIT_VARIABLES = {
    "MLFLOW_ARTIFACTS_ONLY": "--artifacts-only",
    "MLFLOW_ENABLE_WORKSPACES": "--enable-workspaces",
    "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "--disable-security-middleware",
}
_TRUE = ("true", "1")
_TOLD_BY_VARIABLE = {
    settings.METRICS_TOKEN_FILE: "metrics_token_file",
    settings.LOG_FORMAT: "log_format",
    sign_on.SECRET_FILE: "sso_secret_file",
    sign_on.PROXIES: "sso_proxies",
    sign_on.HEADER: "sso_header",
    sign_on.UNKNOWN_USERS: "sso_unknown_users",
}


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.option("--backend-store-uri", envvar="MLFLOW_BACKEND_STORE_URI", default="sqlite:///mlflow.db",
              show_default=True, metavar="URI", help="The database of runs and of the registry.")  # fmt: skip
@click.option("--registry-store-uri", envvar="MLFLOW_REGISTRY_STORE_URI", metavar="URI",
              help="governed:<database uri>; by default governed:<backend store uri>.")  # fmt: skip
@click.option("--artifacts-destination", envvar="MLFLOW_ARTIFACTS_DESTINATION", default="./mlartifacts",
              show_default=True, metavar="URI", help="Where artifacts are kept.")  # fmt: skip
@click.option("--host", "-h", envvar="MLFLOW_HOST", default="127.0.0.1", show_default=True)
@click.option("--port", "-p", envvar="MLFLOW_PORT", default=5000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", "-w", envvar="MLFLOW_WORKERS", default=4, show_default=True, type=click.IntRange(min=1))
@click.option("--state-dir", default="registry-hooks-state", show_default=True,
              type=click.Path(file_okay=False, path_type=Path),
              help="Where the login database, its configuration and the secret key are kept (mode 0700).")  # fmt: skip
@click.option("--auth-database-uri", metavar="URI", help="The database of logins; by default auth.db in the state dir.")
@click.option("--default-permission", type=click.Choice(["READ", "USE", "EDIT", "MANAGE", "NO_PERMISSIONS"]),
              help="What users may do where nobody gave them a permission. [default: READ]")  # fmt: skip
@click.option("--auth-cache-seconds", type=click.IntRange(min=0),
              help="Remember a checked password this long. Faster, and a changed password or a deleted user reaches "
              "the other workers only after that time. [default: 0, off]")  # fmt: skip
@click.option("--uvicorn-opts", envvar="MLFLOW_UVICORN_OPTS", help="Passed on to uvicorn, such as its --ssl options.")
@click.option("--unsafe-allow", multiple=True, type=click.Choice(list(POWERS)),
              help="Turn on what is shut on a governed server: routes of MLflow that run code, start jobs or fetch "
              "addresses for whoever may call them. May be given more than once.")  # fmt: skip
@click.option("--unsafe-allow-origin", multiple=True, metavar="ORIGIN",
              help="Let web pages of this origin, such as https://portal.example, act here with a visitor's login; "
              "MLflow must allow it too (--cors-allowed-origins). May be given more than once.")  # fmt: skip
@click.option("--unsafe-plain-http", is_flag=True,
              help="Listen beyond this host without TLS: passwords are then readable on the way. Only behind a proxy "
              "that does TLS.")  # fmt: skip
@click.option("--sso-secret-file", envvar=sign_on.SECRET_FILE, metavar="FILE",
              help="Sign people on by a header of the proxy in front, which proves itself by the secret in this file "
              f"({sign_on.SHORTEST_SECRET} characters or more), sent as {sign_on.DEFAULT_SECRET_HEADER}.")  # fmt: skip
@click.option("--sso-proxies", envvar=sign_on.PROXIES, metavar="ADDRESSES",
              help="The proxy in front connects from one of these addresses or networks, separated by commas; "
              "beside, or instead of, its secret.")  # fmt: skip
@click.option("--sso-header", envvar=sign_on.HEADER, metavar="NAME", default=sign_on.DEFAULT_HEADER, show_default=True,
              help="Where the proxy names the user. It must drop what clients send under this name.")  # fmt: skip
@click.option("--sso-unknown-users", envvar=sign_on.UNKNOWN_USERS, type=click.Choice(["refuse", "create"]),
              default="refuse", show_default=True,
              help="What becomes of somebody whom the proxy signs on, and who has no account.")  # fmt: skip
@click.option("--metrics-token-file", envvar=settings.METRICS_TOKEN_FILE, metavar="FILE",
              help="Who shows the token in this file (32 characters or more) as a bearer token may read "
              "/registry-hooks/metrics; without one, who may READ everything.")  # fmt: skip
@click.option("--log-format", envvar=settings.LOG_FORMAT, type=click.Choice(["text", "json"]), default="text",
              show_default=True, help="json: one object a line, with the id of its request.")  # fmt: skip
@click.option("--app-name", default="registry-hooks", hidden=True)
@click.argument("mlflow_arguments", nargs=-1, type=click.UNPROCESSED)
def server(mlflow_arguments: tuple[str, ...], **options: Any) -> None:
    """Start an MLflow server whose registry is governed, with logins.

    Makes what is missing: a secret key, the login database, and an administrator whose password is told once on
    standard error and stored only as a hash (or set MLFLOW_AUTH_ADMIN_PASSWORD for the first start). With
    MLFLOW_AUTH_CONFIG_PATH it uses your own auth configuration. Other options go to `mlflow server` as they are.

    \b
    Example:
      registry-hooks server --backend-store-uri postgresql://mlflow@db/mlflow \\
          --artifacts-destination s3://models --uvicorn-opts \\
          "--ssl-certfile cert.pem --ssl-keyfile key.pem" --host 0.0.0.0
    """
    options["registry_store_uri"] = options["registry_store_uri"] or f"governed:{options['backend_store_uri']}"
    _tell_workers(options)
    options["signed_on"] = bool(options["sso_secret_file"] or options["sso_proxies"])
    refuse_unsafe(options, mlflow_arguments)
    _refuse_busy_port(options["host"], options["port"])
    if options["unsafe_plain_http"] and not is_loopback(options["host"]):
        click.echo(heading("UNSAFE: passwords travel in plain text unless a proxy in front does TLS", "red"), err=True)
    for told in warnings(powers_in(os.environ[ALLOW]), origins_in(os.environ[ALLOW_ORIGINS])):
        click.echo(heading(told, "red"), err=True)
    from registry_hooks.cli.commands.launch import launch

    launch(options, mlflow_arguments)


def refuse_unsafe(options: dict[str, Any], mlflow_arguments: tuple[str, ...]) -> None:
    """Refuse what would look governed and not be, or would give logins away.

    Raises:
        Failure: with every reason.
    """
    reasons = [*_unfit(mlflow_arguments), *_wrong_stores(options), *_wrong_network(options, mlflow_arguments)]
    if os.environ.get("MLFLOW_AUTH_ADMIN_PASSWORD") == LEGACY_PASSWORD:
        reasons.append(_reason("admin-password", "a password of your own", f"{LEGACY_PASSWORD}, which everybody knows",
                               "set MLFLOW_AUTH_ADMIN_PASSWORD to another, or unset it and have one made"))  # fmt: skip
    if os.environ.get("MLFLOW_AUTH_CONFIG_PATH"):
        for name in ("auth_database_uri", "default_permission", "auth_cache_seconds"):
            if options[name] is not None:
                option = "--" + name.replace("_", "-")
                reasons.append(_reason(option, "one place for this setting", "MLFLOW_AUTH_CONFIG_PATH is set as well",
                                       "set it in that file, or unset MLFLOW_AUTH_CONFIG_PATH"))  # fmt: skip
    for read, variable in ((powers_in, ALLOW), (origins_in, ALLOW_ORIGINS)):
        try:
            read(os.environ.get(variable, ""))
        except Invalid as error:
            reasons += [asdict(reason) for reason in error.reasons]
    try:
        sign_on.sign_on(os.environ)
    except Invalid as error:
        reasons += [asdict(reason) for reason in error.reasons]
    if reasons:
        answer = {"error_code": "INVALID_PARAMETER_VALUE", "message": "not started", "reasons": reasons}
        raise Failure("not started:", USAGE, answer)


def _tell_workers(options: dict[str, Any]) -> None:
    """Workers find in variables what is let in that is shut by default."""
    for variable, option in ((ALLOW, "unsafe_allow"), (ALLOW_ORIGINS, "unsafe_allow_origin")):
        os.environ[variable] = ",".join((*options[option], *filter(None, [os.environ.get(variable)])))
    for variable, option in _TOLD_BY_VARIABLE.items():
        os.environ[variable] = options[option] or ""


def _unfit(mlflow_arguments: tuple[str, ...]) -> list[dict[str, str]]:
    given = {argument.split("=", 1)[0]: argument for argument in mlflow_arguments}
    by_variable = {
        option: variable
        for variable, option in UNFIT_VARIABLES.items()
        if os.environ.get(variable, "").lower() in _TRUE
    }
    return [
        _reason(option, f"a server without {option}: {why}", given.get(option) or by_variable[option], "leave it out")
        for option, why in UNFIT.items()
        if option in given or option in by_variable
    ]


def _wrong_stores(options: dict[str, Any]) -> list[dict[str, str]]:
    reasons = []
    scheme, _, rest = options["registry_store_uri"].partition(":")
    if options["app_name"] == "oidc-auth":
        expected = "registry-hooks: mlflow-oidc-auth keeps accounts and roles where the gate cannot see who gave them"
        mend = (
            "leave it out; sign people on by a proxy such as oauth2-proxy, with the same provider (--sso-secret-file)"
        )
        reasons.append(_reason("--app-name", expected, "oidc-auth", mend))
    elif options["app_name"] != "registry-hooks":
        reasons.append(_reason("--app-name", "registry-hooks: without it nobody would be known to the gate",
                               options["app_name"], "leave it out"))  # fmt: skip
    if scheme != "governed":
        reasons.append(_reason("--registry-store-uri", "governed:<database uri>: anything else has no gate",
                               f"{scheme}:…", "put governed: in front of it, or leave it out"))  # fmt: skip
        rest = options["backend_store_uri"]
    for option, uri in (("--backend-store-uri", options["backend_store_uri"]), ("--registry-store-uri", rest)):
        dialect = uri.partition(":")[0].partition("+")[0]
        if dialect not in DATABASES:
            reasons.append(_reason(option, f"a database ({', '.join(DATABASES)})", f"{dialect[:20]}…",
                                   "give a database URI, such as sqlite:///mlflow.db"))  # fmt: skip
        elif dialect == "sqlite" and (":memory:" in uri or uri.rstrip("/") == "sqlite:"):
            reasons.append(_reason(option, "a database file", "SQLite in memory, one for each worker",
                                   "give a file, such as sqlite:///mlflow.db"))  # fmt: skip
    return reasons


def _wrong_network(options: dict[str, Any], mlflow_arguments: tuple[str, ...]) -> list[dict[str, str]]:
    told = " ".join((options["uvicorn_opts"] or "", *mlflow_arguments))
    if is_loopback(options["host"]) or options["unsafe_plain_http"] or "certfile" in told:
        return []
    return [_reason("--host", "TLS for a server that others reach: logins are sent with every request",
                    f"{options['host']} without TLS",
                    'give --uvicorn-opts "--ssl-certfile cert.pem --ssl-keyfile key.pem", or, behind a proxy that does '
                    "TLS, --unsafe-plain-http")]  # fmt: skip


def is_loopback(host: str) -> bool:
    """Whether only this host reaches ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse_busy_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            told = f"not started: cannot listen on {host}:{port} ({error.strerror}); choose another --port"
            raise Failure(told, USAGE) from error


def _reason(rule: str, expected: str, found: str, mend: str) -> dict[str, str]:
    return {"rule": rule, "expected": expected, "found": found, "mend": mend}
