"""``pin``: the file is routed to this machine's backend, and plain uv is right.

Builders without a GPU have a rule of their own: what was committed for other machines is kept there, unless
they are told otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from torchsel.backend import Backend
from torchsel.config.config import Request
from torchsel.errors import MachineError
from torchsel.host import Host
from torchsel.project import requirements
from torchsel.project.lock import Locked, locked_packages
from torchsel.routing.wanted import Routing, platform_marker, to_one
from torchsel.selection.releases import platforms, reference_release
from torchsel.selection.select import select
from torchsel.strategies.companions import lacking_beside
from torchsel.strategies.packages import routed_packages, way_to
from torchsel.strategies.protocol import Decision
from torchsel.strategies.setting import Setting

_ASKED = frozenset({"--backend", "TORCHSEL_BACKEND", "UV_TORCH_BACKEND"})
_HOSTS = ("TORCHSEL_HOST", "UV_CUDA_DRIVER_VERSION", "UV_AMD_GPU_ARCHITECTURE")


def _is_builder(setting: Setting) -> bool:
    """Whether ``CI`` is set and the caller named neither a backend nor a host."""
    environ, request = setting.options.environ, setting.request
    if environ.get("CI", "").lower() in ("", "0", "false"):
        return False
    is_host_named = setting.options.host or any(map(environ.get, _HOSTS))
    return request.backend == "auto" and request.source not in _ASKED and not is_host_named


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """The strategy ``pin``."""

    setting: Setting
    name: str = "pin"
    alternatives: None = None
    is_open: bool = True
    is_users: bool = False
    is_for_one: bool = True
    oldest_uv: tuple[int, ...] = (0, 5, 3)

    @property
    def is_routed(self) -> bool:
        """Whether torch has a source of torchsel's."""
        return self.routed() is not None

    def decide(self, host: Host, python: str | None, *, upgrade: bool = False) -> Decision:
        """The best build; in CI without a usable GPU what is committed."""
        kept = self._committed()
        try:
            decided = self._select(self.setting.request_on(host, python), host, python, upgrade=upgrade)
            if kept is None or decided.selection.family != "cpu":
                return decided
        except MachineError:
            if kept is None:
                raise
        request = Request(backend=kept, source="the committed routing, kept in CI")
        decided = self._select(request, host, python, upgrade=False)
        kept_selection = replace(decided.selection, warnings=(_kept_sentence(kept),))
        return replace(decided, selection=kept_selection, bound=self.setting.present.bound)

    def routing(
        self, backend: Backend, bound: str = "", releases: Mapping[str, str] = MappingProxyType({})
    ) -> Routing:
        """Sources to one index on the platforms that have the build, or where a local version is pinned."""
        setting = self.setting
        torch = reference_release(setting.demand(), backend, setting.catalog)
        way = replace(way_to(setting, backend, torch), bounds={"torch": bound})
        direct = {item.name for item in setting.project.required}
        marker = requirements.pinned_marker(setting.project, "torch", backend.tag)  # only one index has that
        if marker is None:
            marker = platform_marker(platforms(backend, torch, setting.catalog))
        routed = to_one(
            way,
            anchored={*setting.companions, *(set(way.packages) - direct)},
            marker=marker,
            named=routed_packages(setting),
        )
        return replace(routed, notes=lacking_beside(setting, way.packages, backend))

    def first_releases(self) -> Mapping[str, str]:
        """One bound is enough."""
        return {}

    def promised(self, decision: Decision) -> tuple[tuple[str, str], ...]:
        """The selected one."""
        torch = decision.selection.torch
        return ((torch, decision.tag),) if torch else ()

    def routed(self, decision: Decision | None = None) -> str | None:
        """Where the unscoped source leads."""
        return self.setting.present.routed()

    def locked(self, decision: Decision) -> list[Locked]:
        """Every entry of torch."""
        return locked_packages(self.setting.project.lock, ["torch"])

    def release(self, decision: Decision, host: Host) -> str | None:
        """The selected one; macOS, where nothing is routed, leaves the others' torch alone."""
        return None if host.system == "darwin" else decision.selection.torch

    def drift(self, decision: Decision) -> str:
        """What it is routed to, and what was needed."""
        routed, tag, request = self.routed(), decision.tag, decision.request
        if routed == tag:
            return "torch is not routed as [tool.torchsel] says; run 'torchsel'"
        if routed is None:
            return "torch is not routed yet; run 'torchsel'"
        need = "this machine needs" if request.backend == "auto" else f"{request.source} asks for"
        return f"torch is routed to {routed}, but {need} {tag}; run 'torchsel'"

    def lock_drift(self, decision: Decision, host: Host, locked: Locked | None) -> str:
        """A torch from another index than the routed one."""
        catalog, present, tag = self.setting.catalog, self.setting.present, decision.tag
        is_built = host.platform in catalog.platforms_of(tag, decision.selection.torch)
        if not locked or not self.routed() or host.system == "darwin" or not is_built:
            return ""
        if present.backends.get(locked.registry or "") == tag:
            return ""
        return f"uv.lock has torch {locked.version}, which is not from the {tag} index; run 'uv lock'"

    def lock_gap(self, host: Host) -> str:
        """No torch from the routed index though the platform has that build."""
        routed, catalog = self.routed(), self.setting.catalog
        entries = locked_packages(self.setting.project.lock, ["torch"])
        if routed is None or host.system == "darwin" or host.platform not in catalog.platforms_of(routed):
            return ""
        if any(self.setting.present.backends.get(item.registry or "") == routed for item in entries):
            return ""
        return f"uv.lock has no torch from the {routed} index, which is routed; run 'torchsel'"

    def forbidden(self) -> tuple[str, ...]:
        """Why the configuration or the request does not allow what is routed."""
        config, request, routed = self.setting.config, self.setting.request_on(), self.routed()
        if routed is None:
            return ()
        backend, found = Backend.parse(routed), []
        if request.backend not in ("auto", routed):
            found.append(f"torch is routed to {routed}, but {request.source} asks for {request.backend}")
        is_fallback = routed == "cpu" and config.fallback == "cpu"
        if config.backends is not None and routed not in config.backends and not is_fallback:
            found.append(f"torch is routed to {routed}, which is not among tool.torchsel.backends")
        if not config.admits(backend):
            found.append(f"torch is routed to {routed}, which is above tool.torchsel.max-cuda")
        return tuple(found)

    def _committed(self) -> str | None:
        """The backend to stay with should this builder have no usable GPU, where that rule applies."""
        routed = self.routed()
        if not _is_builder(self.setting) or routed in (None, "cpu") or self.forbidden():
            return None
        return routed

    def _select(self, request: Request, host: Host, python: str | None, *, upgrade: bool) -> Decision:
        setting = self.setting
        selection = select(
            host=host,
            requested=request.backend,
            demand=setting.demand(host, python, upgrade=upgrade),
            config=setting.config,
            catalog=setting.catalog,
        )
        return Decision(selection=selection, request=request, bound=selection.bound)


def _kept_sentence(tag: str) -> str:
    return (
        f"CI without a usable GPU: the routing to {tag} stays as committed;"
        " choose with --backend, TORCHSEL_BACKEND or TORCHSEL_HOST"
    )
