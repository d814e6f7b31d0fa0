"""Check what would be uploaded: ``python .ci/check_dist.py dist``, before a release with ``--tag v1.2.3``."""

from __future__ import annotations

import argparse
import sys
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "reportflow_pandas"

LARGEST_WHEEL_BYTES = 12_000_000
"""The fonts of the embedded service are 5 MB packed; more than twice that is a mistake."""

FOUND_AT_HOME = ("Source", "Issues", "Changelog", "Documentation")
"""Addresses that a released package names."""


def sources() -> set[str]:
    """Return the files of the package in the working tree, as they stand in an archive."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / PACKAGE).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


def problems_of(wheel: Path, sdist: Path) -> list[str]:
    """Return what is wrong with the two files, a sentence each."""
    found: list[str] = []
    if wheel.stat().st_size > LARGEST_WHEEL_BYTES:
        found.append(f"{wheel.name} has {wheel.stat().st_size:,} bytes, more than {LARGEST_WHEEL_BYTES:,}")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    found += [f"the wheel lacks {name}" for name in sorted(sources() - packed)]
    strangers = {name for name in packed if not name.startswith((f"{PACKAGE}/", f"{PACKAGE}-"))}
    found += [f"the wheel has {name}, which is not of the package" for name in sorted(strangers)]
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    wanted = sources() | {
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "pyproject.toml",
        "tests/lowest.txt",
        "docs/build.py",
    }
    found += [f"the sdist lacks {name}" for name in sorted(wanted - inside)]
    return found


def metadata(wheel: Path) -> Message:
    """Return the wheel's metadata."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


def problems_of_release(wheel: Path, tag: str) -> list[str]:
    """Return what keeps this wheel from being released under a tag."""
    about = metadata(wheel)
    version = about["Version"]
    found = [] if tag == f"v{version}" else [f"the tag is {tag}, and the version {version}"]
    if f"## {version}" not in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"):
        found.append(f"CHANGELOG.md has no section '## {version}'")
    named = {line.partition(",")[0] for line in about.get_all("Project-URL", [])}
    found += [f"[project.urls] in pyproject.toml has no {name}" for name in FOUND_AT_HOME if name not in named]
    return found


def main(argv: list[str] | None = None) -> int:
    """Print every problem; 1 if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tag")
    arguments = parser.parse_args(argv)
    [wheel], [sdist] = arguments.folder.glob("*.whl"), arguments.folder.glob("*.tar.gz")
    found = problems_of(wheel, sdist)
    if arguments.tag is not None:
        found += problems_of_release(wheel, arguments.tag)
    for problem in found:
        print(problem)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
