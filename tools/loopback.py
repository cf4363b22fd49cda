"""Keeps a local page local: only this machine's own browser, only from the page itself, and no large bodies."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from florilegium.errors import UserError

HOST = "127.0.0.1"
NAMES = {HOST, "localhost"}
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class LoopbackOnly:
    """ASGI middleware. A site elsewhere may point its own name at 127.0.0.1 or post to it: both are refused."""

    def __init__(self, app: Callable[..., Awaitable[None]], largest: int):
        """Wrap `app`; no request may have a body of more than `largest` bytes."""
        self._app, self._largest = app, largest

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get("origin")
        if urlsplit(f"//{headers.get('host', '')}").hostname not in NAMES:
            await _refuse(scope, send, 403, "This page is for this computer only.")
        elif origin and urlsplit(origin).netloc != headers["host"]:
            await _refuse(scope, send, 403, "Another page may not call this one.")
        elif int(headers.get("content-length", "0")) > self._largest:
            await _refuse(scope, send, 413, f"Larger than {self._largest / 1e6:.0f} MB.")
        elif "chunked" in headers.get("transfer-encoding", ""):
            await _refuse(scope, send, 411, "The length must be said beforehand.")
        else:
            await self._app(scope, receive, send)


async def _refuse(scope: Message, send: Send, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": text})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


def free_port(wanted: int) -> int:
    """`wanted` on the loopback interface, or the next free one of the ten after it.

    Raises:
        UserError: none of them is free.
    """
    for port in range(wanted, wanted + 11):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise UserError(f"the ports {wanted} to {wanted + 10} of {HOST} are taken; name another: make app PORT=9000")
