"""Set-up: OHIF's package becomes the folder that is served: ``python -m viewer_api.ohif.unpack TGZ FOLDER``.

Law: standard library only, because it also runs where the archive is not installed yet. Bytes that are not the pinned
ones never reach the disk. What is left out is left out here: its ONNX part and source maps (150 of 200 MB), scripts
that would load from other sites, and the service worker, which would take over all pages of this origin. What
compresses is kept compressed: squeezing the main script, 17 MB, for every reader would cost more than sending it.
"""

import gzip
import json
import shutil
import sys
import tarfile
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha512
from pathlib import Path, PurePosixPath

RELEASE = Path(__file__).with_name("release.json")
PREFIX = "package/dist/"
LEFT_OUT = frozenset(
    {
        "_headers",  # for another hosting
        "_redirects",
        "app-config.js",  # ours is `app-config.js` beside this file
        "es6-shim.min.js",
        "google.js",
        "init-service-worker.js",
        "manifest.json",  # a page of this archive is not an app of its own
        "oidc-client.min.js",
        "polyfill.min.js",
        "serve.json",
        "silent-refresh.html",
        "sw.js",
    }
)
LEFT_OUT_FOLDERS = frozenset({"ort", "customizations"})  # ONNX; what the address of a page could switch on
SQUEEZED = frozenset({".css", ".html", ".js", ".json", ".jsonc", ".svg", ".wasm", ".ico"})
MENDS = (
    # Cornerstone takes the first letter of VOI LUT Function (0028,1056), and every mammogram that has one stays black:
    # cornerstonejs/cornerstone3D issue 2844
    ("app.bundle.", b"voiLutModule.voiLUTFunction[0]", b"[voiLutModule.voiLUTFunction].flat()[0]"),
)
LARGEST = 64 * 1024 * 1024  # of one file; OHIF's largest that is kept has 17 MB


def main(tgz: Path, folder: Path) -> None:
    """Make ``folder`` anew from the package; a folder that exists afterwards is complete."""
    check(tgz.read_bytes(), json.loads(RELEASE.read_text())["integrity"])
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for name, content in wanted(tgz):
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in SQUEEZED:
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content, 9, mtime=0))
        else:
            path.write_bytes(content)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def check(package: bytes, integrity: str) -> None:
    """Exit unless the package has the pinned digest (Subresource Integrity 3.2)."""
    found = "sha512-" + b64encode(sha512(package).digest()).decode()
    if found != integrity:
        sys.exit(f"the package of OHIF is not the pinned one: {found}")


def wanted(tgz: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file that browsers may ask for."""
    with tarfile.open(tgz, "r:gz") as package:
        for member in package:
            name = member.name.removeprefix(PREFIX)
            if not (member.isfile() and member.name.startswith(PREFIX) and is_wanted(name)):
                continue
            source = package.extractfile(member)
            if source is None or member.size > LARGEST:
                sys.exit(f"{name} cannot be unpacked")
            yield name, mended(name, source.read())


def mended(name: str, content: bytes) -> bytes:
    """The content without the defects that we know; exit when one is not where it was, as a new release may be."""
    for start, wrong, right in MENDS:
        if name.startswith(start) and name.endswith(".js"):
            if content.count(wrong) != 1:
                sys.exit(f"{name} is not what its mend was made for")
            content = content.replace(wrong, right)
    return content


def is_wanted(name: str) -> bool:
    """Whether a file of the built viewer is kept; never one whose name leads out of its folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.parts[0] in LEFT_OUT_FOLDERS:
        return False
    return path.suffix != ".map" and name not in LEFT_OUT


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
