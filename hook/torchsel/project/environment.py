"""The project's environment: where this machine's is, and which torch is in it; nothing is run for that."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from glob import escape
from hashlib import blake2b
from itertools import islice
from pathlib import Path, PurePosixPath, PureWindowsPath

from torchsel.backend import Backend
from torchsel.errors import ConfigError, TorchselError
from torchsel.host import Host
from torchsel.project.toml_file import read_text

VARIABLE = "UV_PROJECT_ENVIRONMENT"
"""uv's own: the environment's folder, a relative one below the workspace's root."""

OURS = "TORCHSEL_SET_ENVIRONMENT"
"""What torchsel itself gave `VARIABLE`, so that a torchsel further in, or on the node that a job went to,
does not take it for the user's wish."""

ANYWHERE = "TORCHSEL_ENVIRONMENT"
"""A pattern that may be absolute and name the project."""

KEY = "tool.torchsel.environment"
EXAMPLE = 'environment = ".venv-{backend}"'
DEFAULT = ".venv"
PLACEHOLDERS = ("backend", "family", "machine", "system")

MOST_LISTED = 100
"""Environments that are looked for."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """Where the environment for one build is.

    ``path`` is as written, relative to the project or absolute; ``source`` what decided, empty for uv's own
    place; ``pattern`` what ``path`` was made of. ``overruled`` is the pattern's place where the user's own
    value of `VARIABLE` led elsewhere.
    """

    project: Path
    path: str
    source: str = ""
    pattern: str = ""
    overruled: str = ""

    @property
    def folder(self) -> Path:
        """The folder, there or not."""
        return self.project / self.path

    def variables(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What uv is to be told; empty values (as good as none to uv) take back what was told elsewhere."""
        if self.source == VARIABLE:
            return {}
        value = self.path if self.source else ""
        return {VARIABLE: value, OURS: value} if value or environ.get(OURS) else {}

    @property
    def note(self) -> str:
        """The sentence on a value of the user's that led elsewhere, empty where it did not."""
        if not self.overruled:
            return ""
        return f"{VARIABLE} is set, so the environment is {self.path}, not {self.overruled}"


def environment_for(
    project: Path, backend: Backend, host: Host, key: str | None, environ: Mapping[str, str]
) -> Environment:
    """Where the environment for a build is: by uv's variable where the user set it, torchsel's, or the key.

    Raises:
        ConfigError: torchsel's variable has no pattern.
    """
    source, pattern = _pattern(key, environ)
    path = _filled(pattern, project, backend, host) if pattern else DEFAULT
    users = environ.get(VARIABLE)
    if not users or users == environ.get(OURS):
        return Environment(project=project, path=path, source=source, pattern=pattern)
    is_same = not pattern or project / users == project / path
    return Environment(
        project=project, path=users, source=VARIABLE, pattern=pattern, overruled="" if is_same else path
    )


def _filled(pattern: str, project: Path, backend: Backend, host: Host) -> str:
    """The place that a pattern names."""
    mark = blake2b(str(project.resolve()).encode(errors="surrogateescape"), digest_size=4).hexdigest()
    values = {
        "backend": backend.slug,
        "family": backend.family,
        "machine": re.sub(r"[^A-Za-z0-9_]", "-", host.machine),  # whatever it is, part of one name
        "system": host.system,
        "project": f"{project.name}-{mark}",
    }
    return _PLACEHOLDER.sub(lambda found: values[found[1]], pattern)


def any_environment(project: Path, key: str | None, environ: Mapping[str, str]) -> Environment:
    """As `environment_for` before the build is known: the user's place, else a pattern's, not filled.

    Raises:
        ConfigError: torchsel's variable has no pattern.
    """
    source, pattern = _pattern(key, environ)
    path = environ.get(VARIABLE) or pattern or DEFAULT
    return Environment(project=project, path=path, source=source, pattern=pattern)


def has_place(key: str | None, environ: Mapping[str, str]) -> bool:
    """Whether uv has to be told where the environment is."""
    return bool(key or environ.get(ANYWHERE) or environ.get(OURS))


def _pattern(key: str | None, environ: Mapping[str, str]) -> tuple[str, str]:
    """The pattern after what it stands in; empty where there is none."""
    if wish := environ.get(ANYWHERE):
        try:
            return ANYWHERE, check_pattern(wish, anywhere=True)
        except ValueError as error:
            msg = f"{ANYWHERE}: {error}"
            raise ConfigError(msg) from None
    return (KEY, key) if key else ("", "")


def check_pattern(text: str, *, anywhere: bool = False) -> str:
    """Return ``text`` where it names a folder for the environment; ``anywhere`` also outside the project.

    Raises:
        ValueError: it does not.
    """
    legal = (*PLACEHOLDERS, "project") if anywhere else PLACEHOLDERS
    for name in _PLACEHOLDER.findall(text):
        if name not in legal:
            listed = ", ".join(f"{{{item}}}" for item in legal)
            raise ValueError(f"{{{name}}} is not one of {listed}")
    plain = _PLACEHOLDER.sub("x", text)
    if "{" in plain or "}" in plain or not plain.isprintable() or plain != plain.strip():
        raise ValueError(f"{text!r} is not a folder such as '.venv-{{backend}}'")
    if ".." in re.split(r"[/\\]", plain):
        raise ValueError("a folder with '..' in it is not allowed")
    is_absolute = PurePosixPath(plain).is_absolute() or bool(PureWindowsPath(plain).anchor)
    if is_absolute and not anywhere:
        raise ValueError(f"expected a folder inside the project; {ANYWHERE} takes one elsewhere")
    if plain[:1] == "~" or not PurePosixPath(plain).parts:
        raise ValueError(f"{text!r} is not a folder such as '.venv-{{backend}}'")
    return text


def present_environments(environment: Environment) -> tuple[str, ...]:
    """The environments that are there: this one, the others that its pattern can name, and uv's own."""
    project = environment.project
    wild = re.sub(r"\*+", "*", _PLACEHOLDER.sub("*", escape(environment.pattern)))
    root, relative = project, wild
    if Path(wild).is_absolute():
        root = Path(Path(wild).anchor)
        relative = str(Path(wild).relative_to(root))
    try:
        others = sorted(islice(root.glob(relative), MOST_LISTED), key=str) if wild else []
    except (OSError, ValueError, NotImplementedError):
        others = []
    shown = (path.relative_to(project) if path.is_relative_to(project) else path for path in others)
    places = dict.fromkeys((environment.path, *map(str, shown), DEFAULT))
    return tuple(
        path for path in places if site_packages(project / path) or (project / path / "pyvenv.cfg").is_file()
    )


def site_packages(folder: Path) -> list[Path]:
    """Where an environment's packages are; none where it is no environment."""
    try:
        candidates = (*folder.glob("lib/python*/site-packages"), folder / "Lib" / "site-packages")
        return [site for site in candidates if site.is_dir()]
    except OSError:
        return []


def installed_version(environment: Path, package: str) -> str | None:
    """Version of ``package`` in an environment, local part included; None where it isn't there."""
    prefix = f"{package.replace('-', '_')}-"
    for site in site_packages(environment):
        for info in site.glob(f"{prefix}*.dist-info"):
            return info.name.removeprefix(prefix).removesuffix(".dist-info")
    return None


def project_python(folder: Path, environments: Iterable[str] = ()) -> str | None:
    """``X.Y`` of the project's interpreter, as uv has it: by .python-version, else by an environment."""
    for path in (folder / ".python-version", *(folder / place / "pyvenv.cfg" for place in environments)):
        try:
            lines = read_text(path).splitlines()
        except TorchselError:
            continue
        if path.name == "pyvenv.cfg":  # venv writes ``version``, uv ``version_info``
            pairs = (line.partition("=") for line in lines)
            lines = [value for key, _, value in pairs if key.strip() in ("version", "version_info")]
        requests = (line.partition("#")[0].strip() for line in lines)  # .python-version may have several
        parts = next(filter(None, requests), "").removeprefix("cpython").lstrip("@-").split(".")
        if len(parts) >= 2 and parts[0].isdigit() and parts[1].rstrip("t").isdigit():
            return f"{parts[0]}.{parts[1].rstrip('t')}"
    return None
