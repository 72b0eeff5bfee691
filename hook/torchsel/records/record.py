"""The record of a command's last outcome: what it depended on, where it lies, how it is written down."""

import os
import sys
from time import time

from torchsel.records.machine import signature, stamp

try:
    from _blake2 import blake2b  # a tenth of a millisecond; hashlib, with OpenSSL, three
except ImportError:  # an interpreter that has it elsewhere
    from hashlib import blake2b

TYPE_CHECKING = False  # typing takes as long to import as all of this
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

FORMAT = "torchsel record 2"
FOLDER = "records"
LARGEST = 1 << 20
"""Bytes; a workspace of 300 members has 100 kB."""

LIFETIME = 24 * 3600.0
"""Seconds; for what the kernel shows nowhere, such as a GPU that stopped answering."""

VARIABLES = frozenset(
    {"PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "LD_LIBRARY_PATH", "GPU_DEVICE_ORDINAL", "CI",
     "KUBERNETES_SERVICE_HOST", "container", "SINGULARITY_NAME", "APPTAINER_NAME", "VIRTUAL_ENV"}
)  # fmt: skip
PREFIXES = ("TORCHSEL_", "UV", "CUDA_", "NVIDIA_", "HIP_", "ROCR_", "HSA_", "ZE_", "ONEAPI_", "SLURM_JOB_ID")
"""Variables that torchsel or uv reads, by name or by the beginning of it."""


class Record:
    """An outcome: sentences and standard output to repeat, or the program to become.

    ``files`` are the paths, there or not, that the outcome depended on; ``digest`` is of them and all else.
    ``messages`` are pairs of ``say`` or ``warn`` and the sentence. ``program`` is uv's path, empty where
    none is started, and ``words`` its arguments, before those of the program that uv starts. ``variables``
    are pairs, name and value, that it is given beside the environment.
    """

    __slots__ = ("created", "digest", "files", "messages", "output", "program", "variables", "words")

    def __init__(  # noqa: PLR0913 - one a field
        self,
        *,
        files: "Sequence[str]" = (),
        messages: "Sequence[tuple[str, str]]" = (),
        output: str = "",
        program: str = "",
        words: "Sequence[str]" = (),
        variables: "Sequence[tuple[str, str]]" = (),
        digest: str = "",
        created: float = 0.0,
    ) -> None:
        self.files, self.messages, self.output = list(files), list(messages), output
        self.program, self.words, self.variables = program, list(words), list(variables)
        self.digest, self.created = digest, created

    def to_bytes(self) -> bytes:
        """Fields that end in NUL, which no path, argument or sentence has."""
        told, given = ([part for pair in pairs for part in pair] for pairs in (self.messages, self.variables))
        lists = [
            part for items in (told, given, self.words, self.files) for part in (str(len(items)), *items)
        ]
        head = [FORMAT, self.digest, repr(self.created), self.program, self.output]
        fields = [*head, *lists]
        if any("\0" in field for field in fields):
            return b""
        return b"".join(os.fsencode(field) + b"\0" for field in fields)


def from_bytes(content: bytes) -> "Record | None":
    """The record, None where this is not one."""
    fields = os.fsdecode(content).split("\0")
    if len(fields) < 10 or fields[0] != FORMAT or fields.pop() != "":
        return None
    try:
        rest = iter(fields[5:])
        told, given, words, files = ([next(rest) for _ in range(int(next(rest)))] for _ in range(4))
        messages, variables = (list(zip(item[::2], item[1::2], strict=True)) for item in (told, given))
        created = float(fields[2])
    except (ValueError, StopIteration, RuntimeError):
        return None
    return Record(
        digest=fields[1],
        created=created,
        program=fields[3],
        output=fields[4],
        messages=messages,
        variables=variables,
        words=words,
        files=files,
    )


def digest(parts: "Iterable[str]") -> str:
    """A name for the parts, of 32 hexadecimal digits."""
    content = b"\0".join(os.fsencode(part) for part in parts)
    return blake2b(content, digest_size=16).hexdigest()


def machine() -> str:
    """The accelerators and torchsel itself, as they are now: what a record is for, beside its files."""
    return digest((signature(), itself()))


def dependencies(machine_now: str, files: "Iterable[str]") -> str:
    """What a record's digest is made of."""
    return digest((machine_now, *(f"{path} {stamp(path)} {_said(path)}" for path in files)))


def _said(path: str) -> str:
    """The content of a pyproject.toml: a squashfs image gives its files whatever times it was made with."""
    if not path.endswith("/pyproject.toml"):
        return ""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        return os.fsdecode(os.read(descriptor, LARGEST))
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def itself() -> str:
    """This installation: Python, where packages are installed, torchsel's own files with its data."""
    own = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 - pathlib is slow to import
    folders = [path for path in sys.path if path.endswith("-packages")]
    inside = (own, f"{own}/data")
    parts = [sys.version, sys.prefix, *(f"{path} {stamp(path)}" for path in (*folders, *inside))]
    if not own.endswith("-packages/torchsel"):  # a checkout, whose files are edited in place
        parts += sorted(_entries(own))
    return "\n".join(parts)


def _entries(folder: str) -> "Iterator[str]":
    """Every file below, with its size and time."""
    try:
        with os.scandir(folder) as entries:
            listed = [entry for entry in entries if entry.name != "__pycache__"]
    except OSError:
        return
    for entry in listed:
        if entry.is_dir():
            yield from _entries(entry.path)
        else:
            found = entry.stat()
            yield f"{entry.path} {found.st_size} {found.st_mtime_ns}"


def name_of(words: "Sequence[str]", folder: str, environ: "Mapping[str, str]") -> str:
    """The file's name for a command line in ``folder``: each environment that matters has its own."""
    named = [item for item in environ.items() if item[0] in VARIABLES or item[0].startswith(PREFIXES)]
    variables = (f"{key}={value}" for key, value in sorted(named))
    return digest((FORMAT, folder, str(len(words)), *words, *variables))


def place(environ: "Mapping[str, str]") -> str | None:
    """The folder of the records, made or not; None where there is none that is surely this user's.

    It lies where `torchsel.files.state_folder` has its own, apart from the shared temp folder.
    """
    own, xdg, home = (environ.get(name) for name in ("TORCHSEL_CACHE_DIR", "XDG_CACHE_HOME", "HOME"))
    if own:
        return f"{own}/{FOLDER}"
    if xdg and xdg.startswith("/"):
        return f"{xdg}/torchsel/{FOLDER}"
    inside = "Library/Caches/torchsel" if sys.platform == "darwin" else ".cache/torchsel"
    return f"{home}/{inside}/{FOLDER}" if home and home.startswith("/") else None


def read(path: str) -> "Record | None":
    """The record at ``path``, where it and its folder are this user's alone to write."""
    folder = os.path.dirname(path)  # noqa: PTH120 - pathlib is slow to import
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return None
    try:
        if not is_ours(os.lstat(folder)) or not is_ours(found := os.fstat(descriptor)):
            return None
        content = os.read(descriptor, LARGEST + 1) if found.st_size <= LARGEST else b""
        return from_bytes(content) if len(content) == found.st_size else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def is_ours(found: os.stat_result) -> bool:
    """Whether it is this user's, and nobody else may write to it."""
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022


def is_current(record: "Record") -> bool:
    """Whether all that the outcome depended on is as it was."""
    if not 0 <= time() - record.created <= LIFETIME:
        return False
    return record.digest == dependencies(machine(), record.files)
