"""The way past everything: a command whose outcome is on record, and depends on nothing that changed since.

Nothing is imported here that a bare interpreter has not loaded by itself; the records are written by
`torchsel.records.keep`.
"""

# the part of signal that every interpreter has loaded
import _signal  # type: ignore[import-not-found]
import os
import sys
from time import time

from torchsel.records.machine import LARGEST, dependencies, digest

TYPE_CHECKING = False  # typing takes as long to import as all of this
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

FORMAT = "torchsel record 2"
FOLDER = "records"

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
        """Fields that end in NUL, which no path, argument or sentence has; empty where one has it."""
        told, given = ([part for pair in pairs for part in pair] for pairs in (self.messages, self.variables))
        fields = [FORMAT, self.digest, repr(self.created), self.program, self.output]
        for items in (told, given, self.words, self.files):
            fields += [str(len(items)), *items]
        if any("\0" in field for field in fields):
            return b""
        return b"".join(os.fsencode(field) + b"\0" for field in fields)


def from_bytes(content: bytes) -> "Record | None":
    """The record, None where this is not one."""
    fields = os.fsdecode(content).split("\0")
    if len(fields) < 10 or fields[0] != FORMAT or fields.pop() != "":
        return None
    _, was, created, program, output, *lists = fields
    try:
        rest = iter(lists)
        told, given, words, files = ([next(rest) for _ in range(int(next(rest)))] for _ in range(4))
        messages, variables = (list(zip(item[::2], item[1::2], strict=True)) for item in (told, given))
        record = Record(files=files, messages=messages, output=output, program=program, words=words)
        record.variables, record.digest, record.created = variables, was, float(created)
    except (ValueError, StopIteration, RuntimeError):
        return None
    return record


def try_answer(argv: "Sequence[str]", environ: "Mapping[str, str]") -> int | None:
    """The exit code, after everything is said; None where the command has to be run. May become uv."""
    if sys.platform == "win32" or environ.get("TORCHSEL_NO_CACHE"):
        return None  # Windows has no cheap way to see that a GPU is gone
    try:
        current = os.getcwd()  # noqa: PTH109 - pathlib is slow to import
    except OSError:
        return None
    folder = place(environ)
    for count in known_parts(argv) if folder else ():
        record = read(f"{folder}/{name_of(argv[:count], current, environ)}")
        if record and is_current(record):
            return _repeat(record, argv[count:], environ)
    return None


def known_parts(argv: "Sequence[str]") -> list[int]:
    """How many words of a command line a record can be of: all, or those up to what ``uv run`` starts.

    Only the first few guesses are listed; whoever writes the record knows which is right.
    """
    behind = argv.index("run") + 1 if "run" in argv else len(argv)
    guesses = [at + 1 for at in range(behind, len(argv) - 1) if not argv[at].startswith("-")]
    return [*guesses[:4], len(argv)]


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


def name_of(words: "Sequence[str]", folder: str, environ: "Mapping[str, str]") -> str:
    """The file's name for a command line in ``folder``: each environment that matters has its own."""
    named = [item for item in environ.items() if item[0] in VARIABLES or item[0].startswith(PREFIXES)]
    variables = (f"{key}={value}" for key, value in sorted(named))
    return digest((FORMAT, folder, str(len(words)), *words, *variables))


def read(path: str) -> "Record | None":
    """The record at ``path``, where it and its folder are this user's alone to write."""
    folder = os.path.dirname(path)  # noqa: PTH120 - pathlib is slow to import
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
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


def is_current(record: Record) -> bool:
    """Whether all that the outcome depended on is as it was."""
    return 0 <= time() - record.created <= LIFETIME and record.digest == dependencies(record.files)


def _repeat(record: Record, rest: "Sequence[str]", environ: "Mapping[str, str]") -> int | None:
    """Say and become what is on record.

    Raises:
        OSError: standard output can't be written.
    """
    _tell(record.messages, environ)
    if record.output:
        sys.stdout.write(record.output)
    if not record.program:
        return 0
    sys.stdout.flush()
    try:
        become(record.program, [*record.words, *rest], {**environ, **dict(record.variables)})
    except OSError:
        return None  # the long way says what is wrong


def become(program: str, words: "Sequence[str]", environ: "Mapping[str, str]") -> "NoReturn":
    """Turn this process into ``program``, with signals as a shell starts it with.

    Raises:
        OSError: it can't be started.
    """
    # Python ignores both, and what is ignored stays so in the program that a process becomes: a broken pipe,
    # or a file that grows too large, would no longer end it
    for name in ("SIGPIPE", "SIGXFSZ"):
        if number := getattr(_signal, name, 0):
            _signal.signal(number, _signal.SIG_DFL)
    is_pythons = _signal.getsignal(_signal.SIGINT) == _signal.default_int_handler
    try:
        if is_pythons:
            _let_interrupts_end_it()
        os.execve(program, [program, *words], environ)  # noqa: S606 - an absolute path, no shell
    finally:
        if is_pythons:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)


def _let_interrupts_end_it() -> None:
    # Python's own handler only notes a signal and acts on it a moment later; what comes in the last moment
    # before execve would be noted by a program that is no more
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, {_signal.SIGINT})
    try:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)


def _tell(messages: "Sequence[tuple[str, str]]", environ: "Mapping[str, str]") -> None:
    """Say it as `torchsel.console` does, which is loaded only where there may be colours."""
    if messages and (environ.get("FORCE_COLOR") or sys.stderr.isatty()):
        from torchsel.console import Console  # noqa: PLC0415 - slow to import

        console = Console()
        for kind, text in messages:
            (console.warn if kind == "warn" else console.say)(text)
        return
    try:
        for kind, text in messages:
            sys.stderr.write(f"{'warning' if kind == 'warn' else 'torchsel'}: {text}\n")
        sys.stderr.flush()
    except OSError:
        pass  # nobody can be told; what becomes of the command stays the same
