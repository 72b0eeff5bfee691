"""``pin``: the file is routed to this machine's backend, and plain uv is right.

Builders without a GPU have a rule of their own: what was committed for other machines is kept there, unless
they are told otherwise.
"""

from __future__ import annotations

from dataclasses import replace

from torchsel.backend import Backend
from torchsel.config.config import Request
from torchsel.errors import MachineError
from torchsel.host import Host
from torchsel.project.lock import Locked
from torchsel.project.requirements import pinned_marker
from torchsel.routing.wanted import Routing, platform_marker, to_one
from torchsel.selection.releases import platforms, reference_release
from torchsel.selection.select import select
from torchsel.strategies.packages import way_to, with_names
from torchsel.strategies.protocol import Decision, Setting, Strategy

_ASKED = frozenset({"--backend", "TORCHSEL_BACKEND", "UV_TORCH_BACKEND"})
_HOSTS = ("TORCHSEL_HOST", "UV_CUDA_DRIVER_VERSION", "UV_AMD_GPU_ARCHITECTURE")


def _is_builder(setting: Setting) -> bool:
    """Whether ``CI`` is set and the caller named neither a backend nor a host."""
    options, request = setting.options, setting.request
    is_ci = options.environ.get("CI", "").lower() not in ("", "0", "false")
    is_asked = request.backend != "auto" or request.source in _ASKED
    return is_ci and not is_asked and not options.host and not any(map(options.environ.get, _HOSTS))


class Pin(Strategy):
    """The strategy ``pin``."""

    is_for_one = True
    oldest_uv = (0, 5, 3)  # the first one with sources by index

    @property
    def is_routed(self) -> bool:
        """Whether torch has a source of torchsel's."""
        return self.setting.present.routed is not None

    def decide(self, host: Host, *, upgrade: bool = False) -> Decision:
        """The best build; in CI without a usable GPU what is committed."""
        kept = self._committed()
        try:
            decided = self._select(self.setting.request_on(host), host, upgrade=upgrade)
            if kept is None or decided.selection.family != "cpu":
                return decided
        except MachineError:
            if kept is None:
                raise
        request = Request(backend=kept, source="the committed routing, kept in CI")
        decided = self._select(request, host, upgrade=False)
        warning = (
            f"CI without a usable GPU: the routing to {kept} stays as committed;"
            " choose with --backend, TORCHSEL_BACKEND or TORCHSEL_HOST"
        )
        selection = replace(decided.selection, warnings=(warning,))
        return replace(decided, selection=selection, bound=self.setting.present.bound)

    def _committed(self) -> str | None:
        """The backend to stay with should this builder have no usable GPU, where that rule applies."""
        routed = self.setting.present.routed
        if not _is_builder(self.setting) or routed in (None, "cpu") or self.forbidden():
            return None
        return routed

    def _select(self, request: Request, host: Host, *, upgrade: bool) -> Decision:
        setting = self.setting
        selection = select(
            host=host,
            requested=request.backend,
            demand=setting.demand_on(host, upgrade=upgrade),
            config=setting.config,
            catalog=setting.catalog,
        )
        return Decision(selection=selection, request=request, bound=selection.bound)

    def routing(self, backend: Backend, bound: str = "", releases: object = None) -> Routing:
        """Sources to one index on the platforms that have the build, or where a local version is pinned."""
        setting = self.setting
        torch = reference_release(setting.demand, backend, setting.catalog)
        way = replace(way_to(setting, backend, torch), bounds={"torch": bound})
        direct = {item.name for item in setting.project.required}
        marker = pinned_marker(setting.project, backend.tag)  # only one index has that
        if marker is None:
            marker = platform_marker(platforms(backend, torch, setting.catalog))
        anchored = {*setting.companions, *(way.packages.keys() - direct)}
        return with_names(setting, to_one(way, anchored=anchored, marker=marker), [way])

    def promised(self, decision: Decision) -> tuple[tuple[str, str], ...]:
        """The selected one."""
        torch = decision.selection.torch
        return ((torch, decision.tag),) if torch else ()

    def routed(self, decision: Decision) -> str | None:
        """Where the unscoped source leads."""
        return self.setting.present.routed

    def release(self, decision: Decision, host: Host) -> str | None:
        """The selected one; macOS, where nothing is routed, leaves the others' torch alone."""
        return None if host.system == "darwin" else decision.selection.torch

    def drift(self, decision: Decision) -> str:
        """What it is routed to, and what was needed."""
        routed, tag, request = self.setting.present.routed, decision.tag, decision.request
        if routed == tag:
            return "torch is not routed as [tool.torchsel] says; run 'torchsel'"
        if routed is None:
            return "torch is not routed yet; run 'torchsel'"
        need = "this machine needs" if request.backend == "auto" else f"{request.source} asks for"
        return f"torch is routed to {routed}, but {need} {tag}; run 'torchsel'"

    def lock_drift(self, decision: Decision, host: Host, locked: Locked | None) -> str:
        """A torch from another index than the routed one."""
        tag, routed = decision.tag, self.setting.present.routed
        if not locked or not routed or not self._is_built(tag, decision.selection.torch, host):
            return ""
        if self.setting.present.backends.get(locked.registry) == tag:
            return ""
        return f"uv.lock has torch {locked.version}, which is not from the {tag} index; run 'uv lock'"

    def lock_gap(self, host: Host) -> str:
        """No torch from the routed index though the platform has that build."""
        routed, backends = self.setting.present.routed, self.setting.present.backends
        if routed is None or not self._is_built(routed, None, host):
            return ""
        if any(backends.get(item.registry) == routed for item in self.setting.locked):
            return ""
        return f"uv.lock has no torch from the {routed} index, which is routed; run 'torchsel'"

    def _is_built(self, tag: str, torch: str | None, host: Host) -> bool:
        """Whether a backend's index is for the host."""
        # macOS is left to uv's default index
        return host.system != "darwin" and host.platform in self.setting.catalog.platforms_of(tag, torch)

    def forbidden(self) -> tuple[str, ...]:
        """Why the configuration or the request does not allow what is routed."""
        config, request, routed = self.setting.config, self.setting.request_on(), self.setting.present.routed
        if routed is None:
            return ()
        found = []
        if request.backend not in ("auto", routed):
            found.append(f"torch is routed to {routed}, but {request.source} asks for {request.backend}")
        is_fallback = routed == "cpu" and config.fallback == "cpu"
        if config.backends is not None and routed not in config.backends and not is_fallback:
            found.append(f"torch is routed to {routed}, which is not among tool.torchsel.backends")
        if not config.admits(Backend.parse(routed)):
            found.append(f"torch is routed to {routed}, which is above tool.torchsel.max-cuda")
        return tuple(found)
