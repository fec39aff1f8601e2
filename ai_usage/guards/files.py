"""Files of this machine, as the platform takes and makes them: whose they are, and nothing but plain files.

Belongs here: modes, and the refusal of links, pipes and devices where others may have put them. Does not belong here: what a file means.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ai_usage.errors import SettingsError

_KINDS = {
    stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip
_shared = 0  # what the group of AI_USAGE_FILE_GROUP may do with a file: nothing, or read it


class NotPlainError(OSError):
    """What should be a file is a link or no file; `strerror` says which."""


def oddity(path: Path, *, hard_links: bool = False) -> str | None:
    """What a name stands for where it is neither a plain file nor a folder. With `hard_links` a file that has a second name is odd too."""
    return _odd(path.lstat(), hard_links)


def _odd(found: os.stat_result, hard_links: bool) -> str | None:
    kind = _KINDS.get(stat.S_IFMT(found.st_mode))
    return kind or ("a hard link" if hard_links and stat.S_ISREG(found.st_mode) and found.st_nlink > 1 else None)


def odd_names(folder: Path, *, hard_links: bool = False) -> dict[Path, str]:
    """{path: what it is} of everything below a folder that is neither a plain file nor a folder. Follows no link."""
    found = {}
    for held, folders, names in os.walk(folder):
        for path in (Path(held) / name for name in (*folders, *names)):
            with suppress(FileNotFoundError):  # retention took it away meanwhile
                if kind := oddity(path, hard_links=hard_links):
                    found[path] = kind
    return found


def open_plain(path: Path, *, hard_links: bool = False) -> BinaryIO:
    """Open a file for reading, and no link, pipe or device, also where it was put in the file's place a moment ago: `NotPlainError`."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise NotPlainError(error.errno, oddity(path) or "no plain file", str(path)) from None
        raise
    kind = _odd(os.fstat(handle), hard_links)
    if kind:
        os.close(handle)
        raise NotPlainError(errno.ELOOP, kind, str(path))
    return os.fdopen(handle, "rb")


def read_dropped(path: Path) -> bytes:
    """A file of the drop folder, into which others write: no link of any kind."""
    with open_plain(path, hard_links=True) as file:
        return file.read()


def copy_plain(source: Path, target: Path) -> None:
    """A plain file with its times; whoever may not read the folder may not read the copy."""
    with open_plain(source) as read, target.open("wb") as written:
        shutil.copyfileobj(read, written)
        found = os.fstat(read.fileno())
    finished(target)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def finished(path: Path) -> None:
    """The mode of a file that was made: its owner's, and the group's where one is set."""
    path.chmod(0o600 | _shared)


def keep_private(folder: Path, group: str | None) -> None:
    """From now on this process and its children make files that others cannot read, and what lies in `folder` is so too.

    `SettingsError` for a group that the machine does not have, or that this account may not give files to, and where no folder is and none can be made.
    """
    global _shared
    _shared = stat.S_IRGRP if group else 0
    os.umask(0o027 if group else 0o077)
    there = next((path for path in (folder, *folder.parents) if os.path.lexists(path)), folder)
    if not there.is_dir() and os.path.lexists(there):
        raise SettingsError(
            f"{there} is no folder, and the data folder {folder} is to lie there; move it away, or set AI_USAGE_DATA_DIR elsewhere."
        )
    if not folder.is_dir():
        return
    number = _number(group) if group else -1
    found = folder.stat()
    done = stat.S_IMODE(found.st_mode) & 0o077 == (0o050 if group else 0) and number in (-1, found.st_gid)
    if done or found.st_mode & stat.S_ISVTX:  # a folder such as /tmp is everybody's
        return
    try:
        for held, folders, names in os.walk(folder):
            for name in (*folders, *names):
                _narrow(Path(held) / name, number)
        _narrow(folder, number)  # last: its mode says that all below it was done
    except OSError as error:
        raise SettingsError(
            f"{error.filename or folder} cannot be given to the group {group} ({error.strerror}); correct its owner or AI_USAGE_FILE_GROUP."
        ) from None


def _narrow(path: Path, group: int) -> None:
    """Take from a file or folder what others may, and give the group what its owner may but to write."""
    with suppress(
        FileNotFoundError, *(() if group != -1 else (OSError,))
    ):  # another account's file is that account's to close; a disk may be read-only
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
            mode = found.st_mode & 0o700
            if group != -1:
                os.chown(path, -1, group)
                # With the set-group-id bit what is made in a folder later belongs to the group too.
                mode |= (mode >> 3) & 0o050 | (stat.S_ISGID if stat.S_ISDIR(found.st_mode) else 0)
            path.chmod(mode)


def _number(group: str) -> int:
    import grp

    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise SettingsError(f"AI_USAGE_FILE_GROUP is {group!r}, and this machine has no such group; make it or correct the name.") from None
