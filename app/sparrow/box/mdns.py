"""Answer for `NAME.local` on the local network: multicast DNS (RFC 6762), host addresses only.

A whole library for this adds 11 MB to the screen program, which is as much as it takes itself. The name is claimed as
the RFC wants: asked for three times, and if somebody else has it the next one is tried (`sparrow-2.local`). Speaks
over IPv4, where every resolver asks, and tells IPv4 and IPv6 addresses. Linux only.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from sparrow.box import addresses as network

GROUP, PORT = "224.0.0.251", 5353
A, AAAA, NSEC, ANY = 1, 28, 47, 255
TTL = 120  # seconds, of names that are addresses
PROBES, PAUSE = 3, 0.25  # before a name is taken
_IN, _FLUSH, _UNICAST = 1, 0x8000, 0x8000
_RESPONSE = 0x8400  # QR, AA
_PKTINFO = 8  # IP_PKTINFO

Hosts = dict[int, list[str]]  # index of an interface → addresses on it


class Responder:
    """A name on the network. Call `receive` when its socket is readable and `work` when `due` seconds have passed."""

    def __init__(self, hostname: str, hosts: Callable[[], Hosts] = network.by_interface):
        """Raises OSError where there is no such socket."""
        self._hostname, self._ask, self._number = hostname.lower(), hosts, 1
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        self._socket.setsockopt(socket.IPPROTO_IP, _PKTINFO, 1)
        self._socket.bind(("", PORT))
        self._joined: set[int] = set()
        self._hosts: Hosts = {}
        self._steps = 0  # left until the name is known: probes, then two announcements
        self._next = 0.0
        self.refresh()

    @property
    def name(self) -> str:
        """The name that is answered for, or about to be: `sparrow.local`."""
        return f"{self._hostname}{'' if self._number == 1 else f'-{self._number}'}.local"

    @property
    def claimed(self) -> bool:
        """Tell whether the name has been asked for and nobody had it."""
        return self._steps <= 2

    def fileno(self) -> int:
        """Return the socket's descriptor, for poll."""
        return self._socket.fileno()

    def refresh(self) -> None:
        """Look at the addresses anew and claim the name on them."""
        self._hosts = self._ask()
        for index in self._hosts.keys() - self._joined:
            request = socket.inet_aton(GROUP) + socket.inet_aton("0.0.0.0") + struct.pack("=i", index)
            with suppress(OSError):  # an interface that has just gone
                self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        self._joined = set(self._hosts)
        self._claim()

    def due(self) -> float | None:
        """Return the seconds until `work` has something to do, None if nothing."""
        return max(0.0, self._next - time.monotonic()) if self._steps and self._hosts else None

    def work(self) -> None:
        """Do what is due: ask for the name, or announce it."""
        if not self._steps or time.monotonic() < self._next:
            return
        probing = self._steps > 2
        for index in self._hosts:
            self._send(self._probe(index) if probing else self._answer(index, (A, AAAA)), index)
        self._steps -= 1
        self._next = time.monotonic() + (PAUSE if probing else 1.0)

    def receive(self) -> None:
        """Read what has come and answer it."""
        while True:
            try:
                data, control, _, sender = self._socket.recvmsg(9000, 64)
            except OSError:
                return
            index = next((struct.unpack_from("=i", value)[0] for level, kind, value in control
                          if level == socket.IPPROTO_IP and kind == _PKTINFO), 0)
            if index in self._hosts:
                with suppress(ValueError, struct.error, IndexError):  # not DNS
                    self._handle(data, sender, index)

    def close(self) -> None:
        """Take the name back and stop."""
        for index in self._hosts:
            if self.claimed:
                self._send(self._answer(index, (A, AAAA), ttl=0), index)
        self._socket.close()

    def _claim(self) -> None:
        self._steps = PROBES + 2
        self._next = time.monotonic() + os.urandom(1)[0] / 256 * PAUSE

    def _handle(self, data: bytes, sender: tuple[str, int], index: int) -> None:
        ident, flags, *counts = struct.unpack_from("!6H", data)
        offset, asked = 12, []
        for _ in range(counts[0]):
            name, offset = _name(data, offset)
            kind, _ = struct.unpack_from("!2H", data, offset)
            offset += 4
            if name == self.name:
                asked.append(kind)
        if flags & 0x8000:
            if any(name == self.name and not self._mine(kind, value)
                   for name, kind, value in _records(data, offset, counts[1])):
                self._number += 1  # somebody else answers for it
                self._claim()
        elif asked and self.claimed:
            if sender[1] == PORT:
                self._send(self._answer(index, asked), index)
            else:  # a plain resolver, which wants a plain answer
                self._send(self._answer(index, asked, ttl=10, ident=ident, question=asked[0]), index, sender)

    def _mine(self, kind: int, value: bytes) -> bool:
        """Tell whether a record is what this box would say itself: its own words come back to it."""
        if kind not in (A, AAAA):
            return True
        return any(_pack(address) == value for found in self._hosts.values() for address in found)

    def _probe(self, index: int) -> bytes:
        question = _encode(self.name) + struct.pack("!2H", ANY, _IN | _UNICAST)
        records = list(self._addresses(index, (A, AAAA), TTL, _IN))
        return struct.pack("!6H", 0, 0, 1, 0, len(records), 0) + question + b"".join(records)

    def _answer(self, index: int, kinds: tuple[int, ...] | list[int], *, ttl: int = TTL, ident: int = 0,
                question: int | None = None) -> bytes:
        """Return a response: the addresses of the kinds asked for, or the word that there are none of that kind."""
        marked = _IN if question else _IN | _FLUSH
        records = list(self._addresses(index, kinds, ttl, marked))
        if not records:
            have = {A if "." in address else AAAA for address in self._hosts[index]}
            bits = bytearray(4)
            for kind in have:
                bits[kind // 8] |= 0x80 >> kind % 8
            records = [_record(self.name, NSEC, marked, ttl, _encode(self.name) + b"\0\x04" + bytes(bits))]
        head = struct.pack("!6H", ident, _RESPONSE, 1 if question else 0, len(records), 0, 0)
        asked = _encode(self.name) + struct.pack("!2H", question, _IN) if question else b""
        return head + asked + b"".join(records)

    def _addresses(self, index: int, kinds: tuple[int, ...] | list[int], ttl: int, marked: int) -> Iterator[bytes]:
        for address in self._hosts[index]:
            kind = A if "." in address else AAAA
            if kind in kinds or ANY in kinds:
                yield _record(self.name, kind, marked, ttl, _pack(address))

    def _send(self, data: bytes, index: int, to: tuple[str, int] = (GROUP, PORT)) -> None:
        where = struct.pack("=i4s4s", index, b"\0" * 4, b"\0" * 4)
        with suppress(OSError):  # no route any more
            self._socket.sendmsg([data], [(socket.IPPROTO_IP, _PKTINFO, where)], 0, to)


def _pack(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET if "." in address else socket.AF_INET6, address)


def _encode(name: str) -> bytes:
    return b"".join(bytes([len(part)]) + part for part in name.encode().split(b".")) + b"\0"


def _record(name: str, kind: int, marked: int, ttl: int, value: bytes) -> bytes:
    return _encode(name) + struct.pack("!2HIH", kind, marked, ttl, len(value)) + value


def _name(data: bytes, offset: int) -> tuple[str, int]:
    """Return the name at an offset, in lower case, and the offset after it; ValueError if it is not one."""
    parts, after, jumps = [], 0, 0
    while length := data[offset]:
        if length >= 0xC0:  # the rest is elsewhere
            after = after or offset + 2
            offset = struct.unpack_from("!H", data, offset)[0] & 0x3FFF
            jumps += 1
            if jumps > 16:
                raise ValueError("a name that refers to itself")
            continue
        parts.append(data[offset + 1:offset + 1 + length].decode("utf-8", "replace").lower())
        offset += 1 + length
    return ".".join(parts), after or offset + 1


def _records(data: bytes, offset: int, count: int) -> Iterator[tuple[str, int, bytes]]:
    """Yield the answers of a message: name, type, value."""
    for _ in range(count):
        name, offset = _name(data, offset)
        kind, _, _, length = struct.unpack_from("!2HIH", data, offset)
        offset += 10
        yield name, kind, data[offset:offset + length]
        offset += length
