"""Errors that a user can cause or mend; each knows its exit code."""

from __future__ import annotations

EXIT_OK = 0
EXIT_DRIFT = 1
EXIT_CONFIG = 2
EXIT_MACHINE = 3
EXIT_BUG = 123
EXIT_INTERRUPTED = 130


class TorchselError(Exception):
    """Base of every error with a sentence for the user; the CLI prints it without a traceback."""

    exit_code: int = EXIT_CONFIG


class ConfigError(TorchselError):
    """Something the user wrote is wrong: a file, a key, a variable or an option.

    ``problems`` holds every fault found, one sentence each, all naming where they are.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class NoProjectError(ConfigError):
    """There is no pyproject.toml where one is looked for."""


class DemandError(ConfigError):
    """What the project requires of torch is malformed, or met by no release."""


class NotEditableError(ConfigError):
    """The file has a shape that can't be edited without risk; nothing was written."""


class MachineError(TorchselError):
    """The machine is in the way: a lock, a write, uv, or no usable build with ``fallback = "error"``."""

    exit_code = EXIT_MACHINE


class UvError(MachineError):
    """uv failed at what it was asked for in the user's stead, so that its exit code is the user's."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.exit_code = code
