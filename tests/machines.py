"""Machines that share nothing but this computer's files: each has a network of its own.

They are network namespaces where those can be made (Linux, as root); elsewhere every machine is
this one. What runs inside reaches a server on the real loopback where :meth:`reach` says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1


class Machine:
    """A machine; :attr:`apart` says whether it has a network of its own."""

    def __init__(self) -> None:
        try:
            self._network: int | None = _in_thread(_new_network)
        except (OSError, AttributeError):
            self._network = None
        self.apart = self._network is not None

    def inside(self, function: Callable[[], T]) -> T:
        """What *function* returns when it is called there; sockets and processes stay there."""
        network = self._network
        if network is None:
            return function()

        def entered() -> T:
            _call("setns", network, _CLONE_NEWNET)
            return function()

        return _in_thread(entered)

    def reach(self, port: int) -> None:
        """Let what runs there reach *port* of the real loopback under the same address."""
        if self.apart:
            listener = self.inside(lambda: socket.create_server(("127.0.0.1", port)))
            Thread(target=asyncio.run, args=(_relay(listener, port),), daemon=True).start()


def _new_network() -> int:
    """A namespace with nothing but a loopback; it lasts as long as its file descriptor."""
    _call("unshare", _CLONE_NEWNET)
    with socket.socket() as any_socket:
        loopback = struct.pack("16sh14x", b"lo", _IFF_UP)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, loopback)
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def _call(name: str, *arguments: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        raise OSError(ctypes.get_errno(), name)


def _in_thread(function: Callable[[], T]) -> T:
    """Call *function* in a thread of its own, whose namespace is no other's."""
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(function())
        except Exception as error:
            errors.append(error)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


async def _relay(listener: socket.socket, port: int) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pump(reader, back), _pump(there, writer))

    server = await asyncio.start_server(handle, sock=listener)
    await server.serve_forever()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()
