"""What a strategy works on, whatever the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torchsel.backend import is_tag
from torchsel.catalog.catalog import Catalog
from torchsel.config.config import Config, Request
from torchsel.files.missing import Missing
from torchsel.host import Host
from torchsel.project import requirements
from torchsel.project.added import added
from torchsel.project.built import built_for
from torchsel.project.lock import locked_here, locked_packages
from torchsel.project.present import Present
from torchsel.project.project import Project
from torchsel.project.requirement import are_compatible, newest_first
from torchsel.selection.case import Demand
from torchsel.uv.call import UvCall


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line and its variables say about where to look, what to want and how far to go.

    ``folder`` is where uv is called, with the options of ``call``. ``writes`` and ``locks`` are whether files
    may change at all, and a uv.lock that is there. ``only_looks`` is for a picture of what is wrong: then
    ``fallback = "error"`` stops nothing. ``anew`` forgets what was found out before. ``without_project`` asks
    what the machine would take in any project; none is looked for. ``lacking`` are builds, each a release and
    a backend, to go without.
    """

    folder: Path
    environ: Mapping[str, str]
    backend: str | None = None
    host: str | None = None
    call: UvCall | None = None
    upgrade: bool = False
    writes: bool = True
    locks: bool = True
    only_looks: bool = False
    anew: bool = False
    without_project: bool = False
    lacking: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A project with its configuration and what is asked for.

    ``python`` is ``X.Y`` of the project's. ``missing`` are builds left out of ``catalog``, as the index was
    found not to have them. ``mirror`` is the base of companions' indexes in place of the catalog's, empty for
    the latter. ``own_hosts`` are those of indexes that the user's own variables name.
    """

    options: Options
    project: Project
    config: Config
    request: Request
    catalog: Catalog
    python: str | None = None
    missing: tuple[Missing, ...] = ()
    mirror: str = ""
    own_hosts: frozenset[str] = frozenset()

    @property
    def present(self) -> Present:
        """What stands in the root's pyproject.toml."""
        return self.project.root.present

    @property
    def companions(self) -> tuple[str, ...]:
        """Packages that the user wants from other parties' indexes."""
        return tuple(name for name in self.config.companions if name not in self.config.exclude)

    def request_on(self, host: Host | None = None, python: str | None = None) -> Request:
        """The wish, else the backend that a requirement such as ``torch==2.5.1+cu121`` leaves no choice of.

        That is asked of the machines that its marker holds for; of all where ``host`` is None.
        """
        wish = self.request
        pinned = requirements.pinned_local(self.project, "torch", host=host, python=python)
        if wish.source == "default" and pinned and is_tag(pinned[0]):
            return Request(backend=pinned[0], source=f"torch's local version in {pinned[1]}")
        return wish

    def demand(self, host: Host | None = None, python: str | None = None, *, upgrade: bool = False) -> Demand:
        """What the project asks of torch on ``host``; on any machine where None."""
        entries = locked_packages(self.project.lock, ["torch"])
        here = locked_here(entries, host, python) if host else entries
        required = self.project.root.table("project").get("requires-python")
        deciding = locked_packages(self.project.lock, self.catalog.deciding_packages)
        named = {item.name for item in self.project.required}
        environments = self.present.uv.get("environments", [])
        packages = frozenset({*named, *(item.name for item in deciding)})
        versions = tuple((item.name, item.public) for item in deciding)
        specifiers = requirements.specifiers(self.project, "torch", host=host, python=python)
        caps = self._caps(specifiers, packages, {} if upgrade else dict(versions))
        return Demand(
            specifiers=(*specifiers, *(cap for _, cap in caps)),
            caps=caps,
            requires_python=required if isinstance(required, str) else None,
            python=python,
            locked=newest_first(item.public for item in here),
            upgrade=upgrade,
            packages=packages,
            versions=versions,
            built_for=built_for(self.project, host, python, but=self.catalog.family_packages | self._routed),
            environments=tuple(map(str, environments if isinstance(environments, list) else [environments])),
            direct=added(self.project, {"torch", *self.catalog.deciding_packages}),
        )

    @property
    def _routed(self) -> frozenset[str]:
        """Companions whose source is torchsel's, so that its backend is no wish of the user's."""
        indexes, sources = self.present.companion_indexes, self.present.sources
        named = {name for name in self.config.companions if name in sources}
        return self.present.companions | {name for name in named if sources[name].is_only_to(indexes)}

    def _caps(
        self, specifiers: tuple[str, ...], packages: frozenset[str], versions: Mapping[str, str]
    ) -> tuple[tuple[str, str], ...]:
        """What packages of the project require of torch, as far as that goes together."""
        caps: dict[str, str] = {}
        for package in sorted(packages):
            cap = self.catalog.cap_on_torch(package, versions.get(package))
            if cap and are_compatible([*specifiers, *caps.values(), cap]):
                caps[package] = cap
        return tuple(caps.items())
