"""Builders without a GPU: what was committed for other machines is kept there, unless they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchsel.backend import Backend
from torchsel.project.owned import routed_backend

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchsel.config.keys import Config
    from torchsel.config.request import Request
    from torchsel.project.workspace import Project

KEPT = "the committed routing, kept in CI"
"""Where the wish stands when it is this rule's."""

_ASKED = frozenset({"--backend", "TORCHSEL_BACKEND", "UV_TORCH_BACKEND"})
_HOSTS = ("TORCHSEL_HOST", "UV_CUDA_DRIVER_VERSION", "UV_AMD_GPU_ARCHITECTURE")


def committed_backend(
    project: Project, config: Config, request: Request, host: str | None, environ: Mapping[str, str]
) -> str | None:
    """The backend to stay with should this machine have no usable GPU; None where the rule is not for it.

    The rule: ``CI`` is set, ``pin`` routes to a backend that the configuration allows, and neither a backend
    nor a host (``host`` is the option) was asked for by the caller.
    """
    if environ.get("CI", "").lower() in ("", "0", "false") or config.strategy != "pin":
        return None
    if request.backend != "auto" or request.source in _ASKED or host or any(map(environ.get, _HOSTS)):
        return None
    routed = routed_backend(project.root.data)
    if routed in (None, "cpu") or any(forbidden(str(routed), config, request)):
        return None
    return routed


def forbidden(routed: str, config: Config, request: Request) -> Iterator[str]:
    """Why the configuration or the request does not allow what is routed; nothing where they do."""
    if request.backend not in ("auto", routed):
        yield f"routed to {routed}, but {request.source} asks for {request.backend}"
    is_fallback = routed == "cpu" and config.fallback == "cpu"
    if config.backends is not None and routed not in config.backends and not is_fallback:
        yield f"routed to {routed}, which is not among tool.torchsel.backends"
    backend = Backend.parse(routed)
    if (
        config.max_cuda
        and backend.family == "cuda"
        and backend.release[: len(config.max_cuda)] > config.max_cuda
    ):
        yield f"routed to {routed}, which is above tool.torchsel.max-cuda"


def sentence(tag: str) -> str:
    """What is said where the rule applied."""
    return (
        f"CI without a usable GPU: the routing to {tag} stays as committed;"
        " choose with --backend, TORCHSEL_BACKEND or TORCHSEL_HOST"
    )
