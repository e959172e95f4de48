"""Sending an answer, whole or spoilt on its way."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping

from aiohttp import web

from mplus_crawler.sandbox.answers import Answer
from mplus_crawler.sandbox.facts import FACTS
from mplus_crawler.sandbox.faults import Fault

_COMMON: dict[str, str] = FACTS["headers"] | {"Access-Control-Allow-Origin": "*"}
_SLOW_STEPS = 20
_HANG_SECONDS = 3600.0


class Delivery:
    """One answer's way to its client; ``status`` stays 0 until a status line went out."""

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.status = 0
        self.response: web.StreamResponse = web.Response()

    async def send(
        self, answer: Answer, rate: Mapping[str, str], due: Mapping[str, Fault]
    ) -> None:
        """Send an answer with the faults of the wire that are due."""
        headers = {**_COMMON, **rate, **answer.headers}
        if "latency" in due:
            await asyncio.sleep(due["latency"].options.get("seconds", 0.1))
        if "hang" in due:
            await asyncio.sleep(due["hang"].options.get("seconds", _HANG_SECONDS))
            self._reset()
        elif "reset" in due and due["reset"].options.get("when", "before") == "before":
            self._reset()
        elif due.keys() & {"reset", "truncate", "slow"}:
            await self._send_spoilt(answer, headers, due)
        else:
            self.status = answer.status
            self.response = web.Response(status=answer.status, headers=headers, body=answer.body)
            await self._finish()

    async def _send_spoilt(
        self, answer: Answer, headers: Mapping[str, str], due: Mapping[str, Fault]
    ) -> None:
        body = answer.body
        cut = body[: len(body) // 2] if due.keys() & {"truncate", "reset"} else body
        clean = "truncate" in due and due["truncate"].options.get("clean", False)
        self.response = web.StreamResponse(status=answer.status, headers=headers)
        self.response.content_length = len(cut if clean else body)
        self.status = answer.status
        await self.response.prepare(self.request)
        await self._write(cut, due["slow"].options["seconds"] if "slow" in due else 0)
        if "reset" in due:
            self._reset()
        elif len(cut) < len(body) and not clean:
            self._close()
        else:
            await self.response.write_eof()

    async def _write(self, body: bytes, seconds: float) -> None:
        step = len(body) // _SLOW_STEPS + 1 if seconds else len(body) or 1
        for start in range(0, len(body), step):
            await self.response.write(body[start : start + step])
            if seconds:
                await asyncio.sleep(seconds / _SLOW_STEPS)

    async def _finish(self) -> None:
        await self.response.prepare(self.request)
        await self.response.write_eof()

    def _close(self) -> None:
        if self.request.transport:
            self.request.transport.close()

    def _reset(self) -> None:
        """Break the connection with a TCP reset rather than an orderly end."""
        transport = self.request.transport
        if transport:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
