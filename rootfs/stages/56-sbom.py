# Stage: List what the image is made of
# After: root parts
# Input: rootfs/lock/wheels.txt rootfs/lock/parts.txt app/web/package-lock.json pyproject.toml
# Env: VERSION
"""Write the software bill of materials, CycloneDX 1.6 in JSON, from apk's database, the wheels and npm's lock.

Leaves it in $OUT/publish/.
"""

import datetime
import json
import os
import re
import uuid
from email.parser import HeaderParser

import apkdb
import stage

VERSION = os.environ["VERSION"]
ROOT = stage.STAGES / "root/root"


def main() -> None:
    """Gather the components and write the file."""
    components = sorted([*alpine(), *python(), *console()], key=lambda component: component["purl"])
    date = datetime.datetime.fromtimestamp(stage.EPOCH, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    subject = {"type": "firmware", "bom-ref": "sparrow", "name": "sparrow", "version": VERSION}
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, json.dumps([VERSION, components]))}",
        "version": 1,
        "metadata": {"timestamp": date, "component": {**subject, "licenses": [{"license": {"id": "Apache-2.0"}}]}},
        "components": components,
        "dependencies": [{"ref": "sparrow", "dependsOn": [component["bom-ref"] for component in components]}],
    }
    (stage.OUT / "publish").mkdir()
    target = stage.OUT / "publish" / f"sparrow-{VERSION}-{stage.ARCH}.cdx.json"
    target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    stage.progress(f"{len(components)} components")


def component(purl: str, name: str, version: str, licence: str, description: str = "", digests=()) -> dict:
    """Return one entry; licences are given as the package states them."""
    entry: dict = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if description:
        entry["description"] = description
    if licence:
        entry["licenses"] = [{"license": {"name": licence}}]
    if digests:
        entry["hashes"] = [{"alg": "SHA-256", "content": digest} for digest in digests]
    return entry


def alpine():
    """Yield the packages in apk's database."""
    for package in apkdb.read(ROOT):
        purl = f"pkg:apk/alpine/{package.name}@{package.version}?arch={stage.ARCH}"
        yield component(purl, package.name, package.version, package.fields.get("L", ""), package.fields.get("T", ""))


def python():
    """Yield the installed wheels, with the hashes of the lock."""
    lines = (stage.SRC / "rootfs/lock/wheels.txt").read_text().splitlines()
    lock = {line.split("==")[0]: re.findall(r"sha256:([0-9a-f]{64})", line) for line in lines}
    for metadata in ROOT.glob("usr/lib/python3.*/site-packages/*.dist-info/METADATA"):
        fields = HeaderParser().parsestr(metadata.read_text(errors="replace"))
        name = re.sub(r"[-_.]+", "-", fields["Name"]).lower()
        licence = fields.get("License-Expression") or fields.get("License") or ""
        licence = licence.splitlines()[0].strip() if licence.strip() else ""
        yield component(f"pkg:pypi/{name}@{fields['Version']}", name, fields["Version"], licence,
                        fields.get("Summary") or "", lock.get(name, ()))  # fmt: skip


def console():
    """Yield the npm packages that are bundled into the console."""
    packages = json.loads((stage.SRC / "app/web/package-lock.json").read_text())["packages"]
    for path, entry in packages.items():
        if path and not entry.get("dev") and not entry.get("optional"):
            name = path.rpartition("node_modules/")[2]
            purl = f"pkg:npm/{name.replace('@', '%40')}@{entry['version']}"
            yield component(purl, name, entry["version"], entry.get("license", ""))


main()
