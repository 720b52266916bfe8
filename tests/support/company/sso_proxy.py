"""The proxy that a company has in front: it asks who somebody is, and tells the replicas behind it in a header.

A password stands for what an identity provider does. What clients send under the headers of the proxy is dropped. A
replica that does not take the connection is passed over; one that took the request is not asked a second time.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

HEADER, SECRET_HEADER = "X-Forwarded-User", "X-Registry-Hooks-Proxy"
_OF_ONE_HOP = {
    "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "host", "expect",
}  # fmt: skip
_OURS = {HEADER.lower(), SECRET_HEADER.lower(), "authorization", "x-forwarded-for", "x-forwarded-proto"}


@dataclass
class Proxy:
    """A proxy that runs in a thread of its own.

    Args:
        replicas: their addresses; taken in turn.
        passwords: of users.
        secret: by which the replicas know it.
        after: called with verb and path once a replica has answered, before the client is told.
    """

    replicas: list[str]
    passwords: Mapping[str, str]
    secret: str
    after: Callable[[str, str], None] = lambda _verb, _path: None
    uri: str = ""
    answered: list[tuple[str, int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._turns = itertools.count()

    def user(self, authorization: str) -> str | None:
        """Who logs in so; None for nobody."""
        with suppress(ValueError):
            name, _, password = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            if password and self.passwords.get(name) == password:
                return name
        return None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass one request on, as its user."""
        user = self.user(request.headers.get("Authorization", ""))
        if user is None and request.path not in ("/health", "/version"):
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic"}, text="log in")
        passed = _OF_ONE_HOP | _OURS
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in passed]
        headers += [("Host", request.host), ("X-Forwarded-For", request.remote or ""), ("X-Forwarded-Proto", "https")]
        headers += [(SECRET_HEADER, self.secret), *([(HEADER, user)] if user else [])]
        body = await request.read()
        turn = next(self._turns)
        for replica in (self.replicas[(turn + each) % len(self.replicas)] for each in range(len(self.replicas))):
            try:
                async with request.app[_SESSION].request(
                    request.method, replica + request.raw_path, headers=headers, data=body, allow_redirects=False
                ) as answer:
                    content = await answer.read()
            except aiohttp.ClientConnectorError:
                continue
            except aiohttp.ClientError:  # it took the request, and died
                return web.Response(status=502, text="a replica gave no answer")
            self.answered.append((f"{request.method} {request.path}", answer.status, replica))
            await asyncio.to_thread(self.after, request.method, request.path)
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _OF_ONE_HOP]
            return web.Response(status=answer.status, headers=aiohttp.typedefs.CIMultiDict(kept), body=content)
        return web.Response(status=503, text="no replica takes a connection")


_SESSION = web.AppKey("session", aiohttp.ClientSession)


@contextmanager
def serving(proxy: Proxy) -> Iterator[Proxy]:
    """Let the proxy serve, on a port of loopback, for the length of the block."""
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def start() -> web.AppRunner:
        app = web.Application(client_max_size=2**30)
        app[_SESSION] = aiohttp.ClientSession(
            auto_decompress=False, connector=aiohttp.TCPConnector(force_close=True, limit=50)
        )
        app.router.add_route("*", "/{path:.*}", proxy.handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        proxy.uri = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def stop(runner: web.AppRunner) -> None:
        await runner.app[_SESSION].close()
        await runner.cleanup()

    def run() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(start())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(stop(runner))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
