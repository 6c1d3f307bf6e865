"""Runs Python source in a new process and tells every touch of the outside while it runs.

Here: the witness (an audit hook and a watched ``os.environ``) and the process around it.
Not here: what is allowed (``test_definitions_load.py``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Prints one JSON list of [event, detail] when the watched source has run. Reads are told with
# their path; reads of modules and package data below the interpreter, the environment and the
# package are what importing is, and are left out.
_WITNESS = """
import json, os, sys
package, before, source = sys.argv[1:]
seen = []
homes = tuple({os.path.realpath(p) + os.sep for p in (
    sys.prefix, sys.base_prefix, package, "/usr/share/zoneinfo", "/dev/null", "/proc/self")})
QUIET = ("import", "compile", "exec", "object.", "sys._getframe", "marshal.", "code.", "os.listdir",
         "os.scandir", "ctypes.", "cpython.", "builtins.id", "gc.", "sys.set", "sys.unraisable",
         "_thread.", "mmap", "os.putenv", "signal.", "glob.glob", "array.", "re.", "pathlib.Path")
WATCHED = ("open", "sqlite3.", "socket.", "os.", "subprocess.", "shutil.", "tempfile.", "urllib.",
           "http.", "ftplib.", "smtplib.", "webbrowser.", "fcntl.")

def below(path):
    whole = os.path.realpath(os.fspath(path))
    return whole.startswith(homes) or whole + os.sep in homes

def hook(event, arguments):
    if event in ("os.listdir", "os.scandir"):
        path = arguments[0] or "."
        if isinstance(path, (str, bytes, os.PathLike)) and not below(os.fsdecode(path)):
            if os.path.realpath(os.fsdecode(path)) not in entries:
                seen.append([event, os.fsdecode(path)])
        return
    if not event.startswith(WATCHED) or event.startswith(QUIET):
        return
    if event == "open":
        path, mode, flags = arguments
        if isinstance(path, int):
            return
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC))
        if writes or not below(os.fsdecode(path)):
            seen.append(["open to write" if writes else "open", os.fsdecode(path)])
        return
    seen.append([event, repr(arguments)[:200]])

# the import system lists the folders on sys.path, among them the one that holds the package
entries = {os.path.realpath(entry or ".") for entry in sys.path}
read = type(os.environ).__getitem__

def watched_read(environment, name):
    frame = sys._getframe(1)
    while frame and frame.f_code.co_filename.startswith(("<frozen", os.__file__)):
        frame = frame.f_back
    if frame and frame.f_code.co_filename.startswith((package + os.sep, "<watched>")):
        seen.append(["environment", name])
    return read(environment, name)

type(os.environ).__getitem__ = watched_read
exec(compile(before, "<before>", "exec"), {"__name__": "before"})
sys.addaudithook(hook)
exec(compile(source, "<watched>", "exec"), {"__name__": "watched"})
seen_in_time, seen = seen, []
sys.stdout.write(json.dumps(seen_in_time))
"""


@dataclass(frozen=True)
class Touch:
    """One touch of the outside: the audit event and what it concerned."""

    event: str
    detail: str


def touches_of(source: str, *, package: Path, folder: Path, before: str = "") -> list[Touch]:
    """Run source with nothing but ``PATH`` in its environment and tell what it touched.

    Args:
        source: Python source.
        package: Folder of the package; its own files may be read.
        folder: Empty folder to run in.
        before: Source that runs first, unwatched.
    """
    done = subprocess.run(
        [sys.executable, "-B", "-c", _WITNESS, str(package), before, source],
        env={"PATH": os.defpath},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"the source did not run:\n{done.stderr[-3000:]}"
    return [Touch(*found) for found in json.loads(done.stdout)]
