"""The addresses of this machine, asked of the kernel by netlink: no process, no library, no polling."""

from __future__ import annotations

import socket
import struct

_RTM_NEWADDR, _RTM_GETADDR, _DONE, _ERROR = 20, 22, 3, 2
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ADDRESS, _LOCAL, _FLAGS = 1, 2, 8  # IFA_…
_UNUSABLE = 0x01 | 0x08 | 0x20 | 0x40  # temporary, duplicate, deprecated, tentative
_SCOPE_UNIVERSE = 0
_GROUPS = 0x10 | 0x100  # RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
_VIRTUAL = ("docker", "veth", "virbr", "br-", "cni", "flannel")


def addresses() -> list[str]:
    """Return the addresses others can reach this machine by: IPv4 first, no loopback, no link-local."""
    unique = dict.fromkeys(address for _, address in _all())
    return sorted(unique, key=lambda address: ":" in address)


def by_interface() -> dict[int, list[str]]:
    """Return index of an interface → the same addresses on it, of interfaces that have an IPv4 one."""
    found: dict[int, list[str]] = {}
    for index, address in _all():
        found.setdefault(index, []).append(address)
    return {index: held for index, held in found.items() if any("." in address for address in held)}


def _all() -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as link:
            link.settimeout(2)
            link.bind((0, 0))
            link.send(struct.pack("=IHHIIBBBBI", 24, _RTM_GETADDR, _DUMP, 1, 0, 0, 0, 0, 0, 0))
            finished = False
            while not finished:
                finished = _read(link.recv(65536), found)
    except OSError:
        return []
    return found


def watch() -> socket.socket | None:
    """Return a socket that becomes readable when an address comes or goes; None where there is no netlink."""
    try:
        link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        link.bind((0, _GROUPS))
    except OSError:
        return None
    return link


def _read(data: bytes, found: list[tuple[int, str]]) -> bool:
    """Add the addresses of one netlink datagram to `found`; tell whether the dump is over."""
    offset = 0
    while offset + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, offset)
        if kind in (_DONE, _ERROR) or length < 16:
            return True
        if kind == _RTM_NEWADDR:
            address = _address(data[offset + 16:offset + length])
            if address:
                found.append((struct.unpack_from("=I", data, offset + 20)[0], address))
        offset += (length + 3) & ~3
    return False


def _address(message: bytes) -> str | None:
    family, _, flags, scope, index = struct.unpack_from("=BBBBI", message)
    if family not in (socket.AF_INET, socket.AF_INET6) or scope != _SCOPE_UNIVERSE:
        return None
    raw, offset = None, 8
    while offset + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, offset)
        if length < 4:
            break
        value = message[offset + 4:offset + length]
        if kind == _LOCAL or (kind == _ADDRESS and raw is None):
            raw = value
        elif kind == _FLAGS and len(value) == 4:
            flags = struct.unpack("=I", value)[0]
        offset += (length + 3) & ~3
    if raw is None or (family == socket.AF_INET6 and flags & _UNUSABLE):
        return None
    try:
        if socket.if_indextoname(index).startswith(_VIRTUAL):
            return None
        return socket.inet_ntop(family, raw)
    except (OSError, ValueError):
        return None
