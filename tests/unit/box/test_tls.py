"""The box's certificates, checked by OpenSSL's own rules through Python's ssl and the cryptography package."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sparrow import settings
from sparrow.box import tls
from sparrow.errors import BadRequest


@pytest.fixture
def box(tmp_path):
    return settings.load({"SPARROW_DATA_DIR": str(tmp_path), "SPARROW_DEV": "1", "SPARROW_HOSTNAME": "kitchen"})


def _served(box) -> x509.Certificate:
    return x509.load_pem_x509_certificate((box.tls_dir / "server.pem").read_bytes())


def _handshake(box, name: str) -> None:
    """Connect a client that trusts only the box's authority to a server with its certificate."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tls.server_file(box))
    client = ssl.create_default_context(cafile=str(tls.ca_file(box)))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname=name)
    other = serving.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(6):
        for side in (one, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
    assert one.version() in ("TLSv1.2", "TLSv1.3")


def test_a_client_that_trusts_the_authority_accepts_every_name_and_address(box):
    tls.ensure(box)
    for name in ("kitchen", "kitchen.local", "sparrow.local", "localhost", "127.0.0.1", "::1"):
        _handshake(box, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(box, "example.com")


def test_lifetimes_are_what_browsers_accept(box):
    tls.ensure(box)
    leaf = _served(box)
    authority = x509.load_pem_x509_certificate(tls.ca_file(box).read_bytes())
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=397)
    assert authority.not_valid_after_utc - leaf.not_valid_before_utc > timedelta(days=3640)
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)
    assert (box.tls_dir / "ca.key").stat().st_mode & 0o777 == 0o600


def test_the_authority_cannot_vouch_for_the_internet(box):
    tls.ensure(box)
    key, authority = tls._authority(box)
    allowed = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert allowed.critical
    names = [entry.value for entry in allowed.value.permitted_subtrees if isinstance(entry, x509.DNSName)]
    assert "local" in names
    assert not [name for name in names if name in ("com", "org", "cn", "")]
    assert key.public_key() == authority.public_key()


def test_nothing_is_made_twice_and_a_new_address_makes_a_new_certificate(box):
    assert tls.ensure(box) == "there is none"
    first = (box.tls_dir / "server.pem").read_bytes()
    assert tls.ensure(box) is None
    assert (box.tls_dir / "server.pem").read_bytes() == first
    assert "10.9.8.7" in tls.stale(box, ["10.9.8.7"])
    tls._issue(box, tls.names(box, ["10.9.8.7"]))
    assert tls.stale(box, ["10.9.8.7"]) is None
    assert tls.stale(box, []) is None  # an address that went away does no harm


def test_a_public_name_that_the_authority_may_not_vouch_for_is_left_out_not_asked_for_ever_again(box):
    tls.ensure(box)
    renamed = settings.load({"SPARROW_DATA_DIR": str(box.data_dir), "SPARROW_DEV": "1",
                             "SPARROW_HOSTNAME": "www.example.com"})
    assert "www.example.com" in tls.stale(renamed, [])
    tls.ensure(renamed)
    assert tls.stale(renamed, []) is None
    assert "www.example.com" not in tls.covered(renamed)


@pytest.mark.parametrize("name", ["server.pem", "server.json", "ca.crt", "ca.key"])
@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nbroken"])
def test_a_broken_file_is_healed(box, name, content):
    tls.ensure(box)
    (box.tls_dir / name).write_bytes(content)
    tls.ensure(box, force=name == "ca.key")
    assert tls.stale(box) is None
    _handshake(box, "localhost")


def test_it_is_renewed_before_it_expires_and_after_the_clock_has_jumped(box, monkeypatch):
    tls.ensure(box)
    now = time.time()
    for jump, reason in ((330, "about to expire"), (900, "about to expire"), (-30, "not valid yet")):
        monkeypatch.setattr(tls, "_now", lambda jump=jump: now + jump * tls.DAY)
        assert reason in tls.stale(box)


def test_a_clock_behind_the_build_does_not_make_certificates_of_the_past(box, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1000.0)  # 1970: no battery, no network
    tls.ensure(box)
    monkeypatch.undo()
    _handshake(box, "localhost")


def test_two_that_make_it_at_once_agree(box):
    threads = [threading.Thread(target=tls.ensure, args=(box,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tls.stale(box) is None
    _handshake(box, "localhost")


def test_an_own_certificate_is_served_until_it_is_removed(box, tmp_path):
    tls.ensure(box)
    other = settings.load({"SPARROW_DATA_DIR": str(tmp_path / "other"), "SPARROW_DEV": "1"})
    tls.ensure(other)
    pem = (other.tls_dir / "server.pem").read_bytes()
    key = serialization.load_pem_private_key(pem, None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    certificate = pem[pem.index(b"-----BEGIN CERTIFICATE"):]
    own = (box.tls_dir / "server.pem").read_bytes()
    with pytest.raises(BadRequest, match="does not belong"):
        tls.install(box, certificate, own)
    with pytest.raises(BadRequest, match="cannot be read"):
        tls.install(box, b"rubbish", key)
    assert tls.server_file(box).name == "server.pem"
    tls.install(box, certificate, key)
    assert certificate in tls.server_file(box).read_bytes()
    tls.remove(box)
    assert tls.server_file(box).read_bytes() == own


def test_asking_whether_it_is_good_does_not_import_cryptography(box):
    tls.ensure(box)
    code = ("import sys, json; from sparrow import settings; from sparrow.box import tls; s = settings.get();"
            "print(json.dumps([tls.stale(s), tls.fingerprint(s), 'cryptography' in sys.modules]))")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"SPARROW_DATA_DIR": str(box.data_dir), "SPARROW_DEV": "1", "SPARROW_HOSTNAME": "kitchen"})
    assert json.loads(done.stdout) == [None, tls.fingerprint(box), False]
