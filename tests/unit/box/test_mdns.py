"""The box's name on the local network, in a network of its own, asked for by python-zeroconf and by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None,
                                reason="a network of its own needs root and unshare")

NETWORK = """
set -e
ip link set lo up
ip link add wire type veth peer name end
ip link set end up
ip link set wire up multicast on
ip addr add 192.168.7.20/24 dev wire
ip addr add 192.168.7.21/24 dev wire
ip addr add fd00:7::20/64 dev wire nodad
exec "$@"
"""
COMMON = """
import socket, struct, sys, threading, time
from sparrow.box import mdns

def responder(*addresses):
    return mdns.Responder("sparrow", lambda: {socket.if_nametoindex("wire"): list(addresses)})

def live(*responders, seconds=2.6):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for one in responders:
            one.receive()
            one.work()
        time.sleep(0.01)

def ask(name, kind):
    '''Ask as a plain resolver does; return the records of the answer.'''
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("192.168.7.21"))
    client.settimeout(0)
    client.sendto(struct.pack("!6H", 7, 0, 1, 0, 0, 0) + mdns._encode(name) + struct.pack("!2H", kind, 1),
                  (mdns.GROUP, mdns.PORT))
    return client

def read(client):
    data = client.recv(9000)
    ident, flags, asked, count = struct.unpack_from("!4H", data)
    assert (ident, flags, asked) == (7, 0x8400, 1)
    return [(kind, value) for _, kind, value in mdns._records(data, mdns._name(data, 12)[1] + 4, count)]
"""


def inside(script: str) -> str:
    """Run a script in a network of one wire; return what it prints."""
    done = subprocess.run(["unshare", "-n", "sh", "-c", NETWORK, "sh", sys.executable, "-c", COMMON + script],
                          capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_name_is_answered_with_both_kinds_of_addresses():
    assert inside("""
box = responder("192.168.7.20", "fd00:7::20")
live(box)
four, six, other = ask("sparrow.local", mdns.A), ask("SPARROW.local", mdns.AAAA), ask("another.local", mdns.A)
live(box, seconds=0.3)
assert read(four) == [(mdns.A, bytes([192, 168, 7, 20]))]
assert read(six) == [(mdns.AAAA, socket.inet_pton(socket.AF_INET6, "fd00:7::20"))]
try:
    read(other)
except BlockingIOError:
    print("silent", box.claimed, box.due())
""") == "silent True None\n"


def test_a_box_without_ipv6_says_so_at_once():
    assert inside("""
box = responder("192.168.7.20")
live(box)
client = ask("sparrow.local", mdns.AAAA)
live(box, seconds=0.3)
print([kind for kind, _ in read(client)] == [mdns.NSEC])
""") == "True\n"


def test_the_second_box_takes_the_next_name():
    assert inside("""
first = responder("192.168.7.20")
live(first)
second = responder("192.168.7.21")
live(first, second, seconds=4)
print(first.name, second.name, second.claimed)
""") == "sparrow.local sparrow-2.local True\n"


def test_rubbish_is_ignored():
    assert inside("""
import os, random
box = responder("192.168.7.20", "fd00:7::20")
live(box)
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("192.168.7.21"))
chance = random.Random(1)
whole = struct.pack("!6H", 0, 0x8400, 1, 3, 0, 0) + mdns._encode("sparrow.local") + b"\\0\\1\\0\\1" + b"\\xc0\\x0c" * 9
for _ in range(300):
    data = bytearray(whole if chance.random() < 0.7 else os.urandom(chance.randrange(1, 60)))
    for _ in range(chance.randrange(4)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    client.sendto(bytes(data), (mdns.GROUP, mdns.PORT))
    box.receive()
live(box, seconds=3)
again = ask(box.name, mdns.A)
live(box, seconds=0.3)
print(read(again) == [(mdns.A, bytes([192, 168, 7, 20]))])
""") == "True\n"


def test_a_library_of_others_finds_it():
    pytest.importorskip("zeroconf")
    assert inside("""
from zeroconf import DNSAddress, Zeroconf
from zeroconf._services.info import AddressResolver
box = responder("192.168.7.20", "fd00:7::20")
live(box)
running = True
def serve():
    while running:
        box.receive(); box.work(); time.sleep(0.01)
thread = threading.Thread(target=serve)
thread.start()
seeker = Zeroconf(interfaces=["192.168.7.21"])
found = AddressResolver("sparrow.local.")
print(found.request(seeker, 3000), sorted(map(str, found.parsed_addresses())))
seeker.close()
running = False
thread.join()
""") == "True ['192.168.7.20', 'fd00:7::20']\n"
