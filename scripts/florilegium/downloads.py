"""Downloads that end well or clearly: resumed, tried again, checked, and never half a file under the final name."""

from __future__ import annotations

import fcntl
import os
import tarfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3.util import Retry

from florilegium.environment import seconds_to_wait
from florilegium.errors import UserError
from florilegium.files import file_digest, room_for
from florilegium.step import log

CONNECT_TIMEOUT = 10  # seconds; a firewall that swallows packets must not look like a slow server
SILENCE = 20  # seconds without a byte after which a line counts as dead; FLORILEGIUM_TIMEOUT overrides
TRIES = 3  # without a byte more than before
BACKOFF = 0.5  # seconds before the first repetition, doubled every time
LONGEST_PAUSE = 60  # seconds, whatever a server asks for
PASSING = (408, 429, 500, 502, 503, 504)  # answers that may be another one a moment later
BLOCK = 1 << 16


def download(url: str, target: str | os.PathLike, algorithm: str, digest: str, advice: str) -> None:
    """Fetch `url` into `target`, which appears only once its checksum is right.

    What has come of a file stays beside the target as `.<name>.part`, and the next try goes on from there, in this run
    or a later one. A file with a wrong checksum is thrown away and fetched again.

    Args:
        url: where the file is published; FLORILEGIUM_MIRROR, when set, is a URL under which the file lies by its name.
        target: where it goes.
        algorithm: of hashlib, e.g. `sha256`.
        digest: hexadecimal, or its first digits.
        advice: ends the error message: what to do by hand.

    Raises:
        UserError: the file cannot be had; or another process is fetching it.
    """
    target, url = Path(target), _source(url)
    part = target.with_name(f".{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    tries, furthest, reason = 0, 0, ""
    with room_for(part), _alone(part) as stream, _session() as session:
        while tries < TRIES:
            if tries:
                log.warning("%s: %s; trying again", url, reason)
                time.sleep(BACKOFF * 2**tries)
            reason = _receive(session, url, stream, advice)
            if not reason:
                found = file_digest(part, algorithm)
                if found.startswith(digest):
                    os.replace(part, target)
                    return
                reason = f"{algorithm} is {found} instead of {digest}"
                stream.truncate(0)
            size = os.fstat(stream.fileno()).st_size
            tries, furthest = (1 if size > furthest else tries + 1), max(size, furthest)
    raise _failure(url, reason, advice)


def _source(url: str) -> str:
    mirror = os.environ.get("FLORILEGIUM_MIRROR")
    return f"{mirror.rstrip('/')}/{url.rsplit('/', 1)[1]}" if mirror else url


@contextmanager
def _alone(part: Path) -> Iterator[BinaryIO]:
    """Open `part` for appending; the lock is gone when its process is, however that ends."""
    with open(part, "ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"{part} is being written by another process; wait until it ends, or end it, and run again"
            ) from error
        try:
            yield stream
        finally:
            if part.exists() and not part.stat().st_size:
                part.unlink()


def _session() -> requests.Session:
    """Waits for an answer and asks again when there is none or a passing error."""
    retries = Retry(
        TRIES,
        connect=1,
        backoff_factor=BACKOFF,
        status_forcelist=PASSING,
        raise_on_status=False,
        retry_after_max=LONGEST_PAUSE,
    )
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=retries))
    session.mount("https://", HTTPAdapter(max_retries=retries))
    session.headers["Accept-Encoding"] = "identity"  # bytes as they lie there, so that their number says where to go on
    return session


def _receive(session: requests.Session, url: str, stream: BinaryIO, advice: str) -> str:
    """Append to `stream` what it lacks; returns why it broke off, or '' at the end of the file."""
    begun = os.fstat(stream.fileno()).st_size
    headers = {"Range": f"bytes={begun}-"} if begun else {}
    silence = seconds_to_wait("FLORILEGIUM_TIMEOUT", SILENCE)
    try:
        response = session.get(url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT, silence))
    except requests.RequestException as error:
        raise _failure(url, _cause(error), advice) from error
    with response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return ""  # nothing lies behind what is here already: the checksum decides
        if not response.ok:
            raise _failure(url, f"{response.status_code} {response.reason}", advice)
        if response.status_code != requests.codes.partial_content:
            stream.truncate(0)
            begun = 0
        total = begun + int(response.headers.get("Content-Length", 0)) or None
        name = url.rsplit("/", 1)[1]
        with tqdm(total=total, initial=begun, desc=name, unit="B", unit_scale=True, disable=None) as bar:
            try:
                for block in response.iter_content(BLOCK):
                    stream.write(block)
                    bar.update(len(block))
            except requests.RequestException as error:
                return _cause(error)
            finally:
                stream.flush()
    return ""


def _cause(error: BaseException) -> str:
    """The error that the libraries wrapped, which is the one that says what happened."""
    while error.__context__:
        error = error.__context__
    return str(error) or type(error).__name__


def _failure(url: str, reason: str, advice: str) -> UserError:
    return UserError(f"{url}: download failed ({reason}); {advice}")


def unpack(archive: str | os.PathLike, folder: str | os.PathLike) -> None:
    """Unpack a tar archive of plain files into `folder`.

    Raises:
        UserError: an entry would lie outside of the folder, or is no plain file: a link, a device.
    """

    def plain(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
        # Stricter than the data filter, which follows links that stay inside and cuts the root off absolute names.
        if member.name.startswith("/"):
            raise tarfile.AbsolutePathError(member)
        if not (member.isfile() or member.isdir()):
            raise tarfile.SpecialFileError(member)
        return tarfile.data_filter(member, path)

    try:
        with room_for(folder), tarfile.open(archive) as tar:
            tar.extractall(folder, filter=plain)
    except tarfile.FilterError as error:
        raise UserError(f"{archive}: refused, {error}; delete it and get it from its publisher") from error
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(f"{archive}: no readable archive ({error}); delete it and run again") from error
