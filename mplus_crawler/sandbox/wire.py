"""Sending an answer, whole or spoilt on its way."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping

from aiohttp import web

from mplus_crawler.sandbox.answers import Answer
from mplus_crawler.sandbox.faults import Due, Fault

_SLOW_STEPS = 20


class Delivery:
    """One answer's way to its client; ``status`` stays 0 until a status line goes out."""

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.status = 0
        self.response: web.StreamResponse = web.Response()

    async def send(self, answer: Answer, due: Due) -> None:
        """Send an answer with the faults of the wire that are due."""
        headers = answer.headers
        spoil = {fault.kind: fault for fault in due if fault.kind in _SPOILING}
        if spoil:
            if not await self._break_off(spoil):
                broken = web.StreamResponse(status=answer.status, headers=headers)
                await self._send_spoilt(broken, answer.body, spoil)
            return
        response = web.Response(status=answer.status, headers=headers, body=answer.body)
        await self._start(response)
        await response.write_eof()

    async def _break_off(self, spoil: Mapping[str, Fault]) -> bool:
        """Whether the connection broke before the first byte."""
        if "hang" in spoil:
            await asyncio.sleep(spoil["hang"].options["seconds"])
        elif "reset" not in spoil or spoil["reset"].options["when"] == "after":
            return False
        self._reset()
        return True

    async def _send_spoilt(
        self, response: web.StreamResponse, body: bytes, spoil: Mapping[str, Fault]
    ) -> None:
        whole = spoil.keys() == {"slow"}
        cut = body if whole else body[: len(body) // 2]
        clean = "truncate" in spoil and spoil["truncate"].options["clean"]
        response.content_length = len(cut if clean else body)
        await self._start(response)
        await self._write(response, cut, spoil["slow"].options["seconds"] if "slow" in spoil else 0)
        if "reset" in spoil:
            self._reset()
        elif whole or clean:
            await response.write_eof()
        elif self.request.transport:
            self.request.transport.close()

    async def _start(self, response: web.StreamResponse) -> None:
        self.response, self.status = response, response.status
        await response.prepare(self.request)

    async def _write(self, response: web.StreamResponse, body: bytes, seconds: float) -> None:
        step = len(body) // _SLOW_STEPS + 1 if seconds else len(body) or 1
        for start in range(0, len(body), step):
            chunk = body[start : start + step]
            if seconds:
                await asyncio.sleep(seconds * len(chunk) / len(body))
            await response.write(chunk)

    def _reset(self) -> None:
        """Break the connection with a TCP reset rather than an orderly end."""
        transport = self.request.transport
        if transport:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()


_SPOILING = {"truncate", "reset", "hang", "slow"}
