"""The box's own certificate authority and its server certificate.

Made here rather than by Caddy, whose 12-hour certificates expire on a host whose clock jumps. The authority is
good for ten years and, by name constraints, only for addresses and for names of private networks: whoever trusts
it does not trust it for a bank's site. The server certificate and its key are one file, so that replacing it is
one rename. Only making one imports `cryptography`; asking whether it is still good does not.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sparrow
from sparrow.box import addresses as network
from sparrow.errors import BadRequest, Unavailable
from sparrow.settings import Settings
from sparrow.storage import durable

DAY = 86_400
CA_DAYS = 3_650
LEAF_DAYS_BACK, LEAF_DAYS_AHEAD = 7, 389  # 396 together: browsers refuse more than 397
RENEW_DAYS = 60
# What the authority may vouch for, next to every IP address and the box's own names.
_PRIVATE_NAMES = ("local", "localhost", "lan", "home", "internal", "intranet", "corp", "private", "home.arpa")


def ca_file(settings: Settings) -> Path:
    """The authority's certificate, PEM; everybody may have it."""
    return settings.tls_dir / "ca.crt"


def server_file(settings: Settings) -> Path:
    """Key, certificate and chain that Caddy serves: the admin's own if installed, else the box's."""
    own = settings.tls_dir / "custom.pem"
    return own if own.exists() else settings.tls_dir / "server.pem"


def fingerprint(settings: Settings) -> str | None:
    """Return the SHA-256 of the authority's certificate as `AB:CD:…`, None before it exists."""
    try:
        der = _der(ca_file(settings).read_text())
    except (OSError, ValueError):
        return None
    digest = hashlib.sha256(der).hexdigest().upper()
    return ":".join(digest[i:i + 2] for i in range(0, 64, 2))


def names(settings: Settings, addresses: list[str] | None = None) -> list[str]:
    """Return the names and addresses the server certificate has to cover."""
    wanted = [settings.hostname, f"{settings.hostname}.local", *settings.hostnames, "sparrow.local", "localhost",
              "127.0.0.1", "::1"]
    wanted += network.addresses() if addresses is None else addresses
    return list(dict.fromkeys(name.lower() for name in wanted if name))


def covered(settings: Settings) -> list[str]:
    """Return the names the box's server certificate covers."""
    try:
        return json.loads((settings.tls_dir / "server.json").read_text())["names"]
    except (OSError, ValueError, KeyError):
        return []


def stale(settings: Settings, addresses: list[str] | None = None) -> str | None:
    """Tell why the server certificate must be made anew, None if it need not. Cheap."""
    try:
        facts = json.loads((settings.tls_dir / "server.json").read_text())
        have, begins, ends = set(facts["names"]), float(facts["not_before"]), float(facts["not_after"])
        left_out = set(facts["left_out"])
        pem = (settings.tls_dir / "server.pem").read_bytes()
        if facts["ca"] != fingerprint(settings) or facts["sha256"] != hashlib.sha256(pem).hexdigest():
            return "the files do not belong together"
    except (OSError, ValueError, KeyError, TypeError):
        return "there is none"
    now = _now()
    if not begins <= now:
        return "it is not valid yet"
    if now > ends - RENEW_DAYS * DAY:
        return "it is about to expire"
    missing = [name for name in names(settings, addresses) if name not in have and name not in left_out]
    return f"it does not cover {', '.join(missing)}" if missing else None


def ensure(settings: Settings, *, force: bool = False) -> str | None:
    """Make the authority and the server certificate where needed; return why one was made, else None."""
    addresses = network.addresses()
    if not force and not stale(settings, addresses):
        return None  # nothing is written, so a full disk is no hindrance
    try:
        with _lock(settings):
            reason = "it was asked for" if force else stale(settings, addresses)
            if reason:
                _issue(settings, names(settings, addresses))
    except OSError as error:
        raise Unavailable(f"Cannot keep certificates in {settings.tls_dir}: {error.strerror or error}.")
    return reason


def install(settings: Settings, certificate: bytes, key: bytes) -> None:
    """Serve the admin's own certificate (PEM, with its chain) from the next start of Caddy on.

    Raises BadRequest if it cannot be read, has expired or does not belong to the key.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        chain = x509.load_pem_x509_certificates(certificate)
        private = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError) as error:
        raise BadRequest(f"The certificate or its key cannot be read: {error}. Both must be PEM without a password.")
    if private.public_key() != chain[0].public_key():
        raise BadRequest("The key does not belong to this certificate.", params="key")
    if chain[0].not_valid_after_utc.timestamp() < _now():
        raise BadRequest("This certificate has expired.", params="certificate")
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption())
    durable.write(settings.tls_dir / "custom.pem",
                  pem + b"".join(c.public_bytes(serialization.Encoding.PEM) for c in chain), 0o640)
    _adopt(settings)


def remove(settings: Settings) -> None:
    """Go back to the box's own certificate."""
    (settings.tls_dir / "custom.pem").unlink(missing_ok=True)
    durable.sync_folder(settings.tls_dir)


def _issue(settings: Settings, wanted: list[str]) -> None:
    """Write server.pem and its facts, with the authority of the box (made if there is no good one)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    ca_key, ca = _authority(settings)
    allowed = ca.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    domains = [entry.value for entry in allowed if isinstance(entry, x509.DNSName)]
    good = [name for name in wanted if _permitted(name, domains)]
    key = ec.generate_private_key(ec.SECP256R1())
    now = _now()
    begins, ends = now - LEAF_DAYS_BACK * DAY, now + LEAF_DAYS_AHEAD * DAY
    issuer_key_id = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        _builder(begins, ends, key.public_key(), _name(settings.hostname), ca.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in good]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key_id), critical=False)
        .sign(ca_key, hashes.SHA256()))
    pem = _key_pem(key) + certificate.public_bytes(Encoding.PEM) + ca.public_bytes(Encoding.PEM)
    facts = {"names": good, "left_out": [name for name in wanted if name not in good], "not_before": begins,
             "not_after": ends, "ca": fingerprint(settings), "sha256": hashlib.sha256(pem).hexdigest()}
    durable.write(settings.tls_dir / "server.pem", pem, 0o640)
    durable.write(settings.tls_dir / "server.json", json.dumps(facts, indent=1).encode(), 0o644)
    _adopt(settings)


def _authority(settings: Settings):
    """Return the authority's key and certificate, made anew if missing, broken or near its end."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    with suppress(OSError, ValueError, TypeError):
        key = serialization.load_pem_private_key((settings.tls_dir / "ca.key").read_bytes(), password=None)
        ca = x509.load_pem_x509_certificate(ca_file(settings).read_bytes())
        left = ca.not_valid_after_utc.timestamp() - _now()
        if key.public_key() == ca.public_key() and left > LEAF_DAYS_AHEAD * DAY:
            return key, ca
    key = ec.generate_private_key(ec.SECP256R1())
    identity = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    subject = _name(f"Sparrow on {settings.hostname} ({identity.digest.hex()[:6]})")
    own = [name for name in names(settings, []) if _is_domain(name)]
    permitted = [x509.DNSName(name) for name in dict.fromkeys((*_PRIVATE_NAMES, *own))]
    permitted += [_everything("0.0.0.0/0"), _everything("::/0")]
    # From the build of this version on: a clock without a battery may be behind when the box first starts.
    begins = min(_now(), _built()) - DAY
    ca = (_builder(begins, _now() + CA_DAYS * DAY, key.public_key(), subject, subject)
          .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
          .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
          .add_extension(identity, critical=False)
          .add_extension(x509.NameConstraints(permitted, None), critical=True)
          .sign(key, hashes.SHA256()))
    durable.write(settings.tls_dir / "ca.key", _key_pem(key), 0o600)
    durable.write(ca_file(settings), ca.public_bytes(serialization.Encoding.PEM), 0o644)
    return key, ca


def _builder(begins: float, ends: float, public_key, subject, issuer):
    from datetime import UTC, datetime

    from cryptography import x509

    return (x509.CertificateBuilder().serial_number(x509.random_serial_number()).public_key(public_key)
            .subject_name(subject).issuer_name(issuer)
            .not_valid_before(datetime.fromtimestamp(int(begins), UTC))
            .not_valid_after(datetime.fromtimestamp(int(ends), UTC)))


def _name(common: str):
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.oid.NameOID.ORGANIZATION_NAME, "Sparrow"),
                      x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, common[:64])])


def _usage(**given: bool):
    from cryptography import x509

    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: given.get(name, False) for name in every})


def _general(name: str):
    import ipaddress

    from cryptography import x509

    return x509.DNSName(name) if _is_domain(name) else x509.IPAddress(ipaddress.ip_address(name))


def _everything(network_text: str):
    import ipaddress

    from cryptography import x509

    return x509.IPAddress(ipaddress.ip_network(network_text))


def _is_domain(name: str) -> bool:
    return ":" not in name and not name.replace(".", "").isdigit()


def _permitted(name: str, domains: list[str]) -> bool:
    return not _is_domain(name) or any(name == domain or name.endswith("." + domain) for domain in domains)


def _key_pem(key) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _der(pem: str) -> bytes:
    body = pem.partition("-----BEGIN CERTIFICATE-----")[2].partition("-----END CERTIFICATE-----")[0]
    if not body:
        raise ValueError("no certificate")
    return base64.b64decode("".join(body.split()), validate=True)


def _built() -> float:
    """When this version was built: the build sets the times of all files to it."""
    return os.stat(sparrow.__file__).st_mtime


def _now() -> float:
    """The time, or the time of the build if the clock is behind even that."""
    return max(time.time(), _built())


@contextmanager
def _lock(settings: Settings) -> Iterator[None]:
    settings.tls_dir.mkdir(parents=True, exist_ok=True)
    with open(settings.tls_dir / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    _adopt(settings)


def _adopt(settings: Settings) -> None:
    """Give what root has made to the owner of the folder (the screen program, which renews it) and its group."""
    if os.geteuid() == 0:
        folder = settings.tls_dir.stat()
        for path in settings.tls_dir.iterdir():
            os.chown(path, folder.st_uid, folder.st_gid)
