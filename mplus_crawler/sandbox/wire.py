"""Sends responses, whole or damaged by faults."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping

from aiohttp import web

from mplus_crawler.sandbox.faults import Due, Fault
from mplus_crawler.sandbox.responses import Response

_SLOW_STEPS = 20


class Delivery:
    """The sending of one response; ``status`` is 0 until a status line is sent."""

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.status = 0
        self.response: web.StreamResponse = web.Response()

    async def send(self, message: Response, due: Due) -> None:
        """Send *message* with the network faults that are due."""
        headers = message.headers
        damage = {fault.kind: fault for fault in due if fault.kind in _DAMAGING}
        if damage:
            if not await self._break_off(damage):
                broken = web.StreamResponse(status=message.status, headers=headers)
                await self._send_damaged(broken, message.body, damage)
            return
        response = web.Response(status=message.status, headers=headers, body=message.body)
        await self._start(response)
        await response.write_eof()

    async def _break_off(self, damage: Mapping[str, Fault]) -> bool:
        """Hang or reset if a fault says so; return whether the connection is broken."""
        if "hang" in damage:
            await asyncio.sleep(damage["hang"].options["seconds"])
        elif "reset" not in damage or damage["reset"].options["when"] == "after":
            return False
        self._reset()
        return True

    async def _send_damaged(
        self, response: web.StreamResponse, body: bytes, damage: Mapping[str, Fault]
    ) -> None:
        whole = damage.keys() == {"slow"}
        cut = body if whole else body[: len(body) // 2]
        clean = "truncate" in damage and damage["truncate"].options["clean"]
        response.content_length = len(cut if clean else body)
        await self._start(response)
        await self._write(
            response, cut, damage["slow"].options["seconds"] if "slow" in damage else 0
        )
        if "reset" in damage:
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
        """Close the connection with a TCP reset."""
        transport = self.request.transport
        if transport:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()


_DAMAGING = {"truncate", "reset", "hang", "slow"}
