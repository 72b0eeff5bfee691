"""What was asked for: the backend and the host, in the documented order of precedence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torchsel.backend import expected
from torchsel.config.config import Config, Request
from torchsel.config.tags import check_backend
from torchsel.errors import ConfigError
from torchsel.host import Accelerator, Host
from torchsel.probes.findings import Finding


def resolve_request(
    *, option: str | None, environ: Mapping[str, str], config: Config, uv_table: Mapping[str, object]
) -> Request:
    """The first wish of: ``--backend``, the two variables, ``tool.torchsel``, ``tool.uv``, ``auto``.

    Raises:
        ConfigError: the wish is not ``auto`` or a torch backend.
    """
    wishes = (
        ("--backend", option),
        ("TORCHSEL_BACKEND", environ.get("TORCHSEL_BACKEND")),
        ("UV_TORCH_BACKEND", environ.get("UV_TORCH_BACKEND")),
        ("tool.torchsel.backend", config.backend),
        ("tool.uv.torch-backend", uv_table.get("torch-backend")),
    )
    for source, wish in wishes:
        if wish:
            return Request(backend=_parse_wish(source, wish, config), source=source)
    return Request()


def _parse_wish(source: str, wish: object, config: Config) -> str:
    if wish == "auto":
        return "auto"
    try:
        return check_backend(str(wish), rows=config.catalog, index_url=config.index_url).tag
    except ConfigError as error:
        msg = f"{source}: {expected('auto', error)}"
        raise ConfigError(msg) from None


def resolve_host(*, option: str | None, environ: Mapping[str, str]) -> tuple[Host, tuple[Finding, ...]]:
    """The host from ``--host``, ``TORCHSEL_HOST``, uv's two override variables, or this machine.

    Raises:
        ConfigError: it is neither a recorded host nor a machine in words, or a variable is malformed.
    """
    for source, name in (("--host", option), ("TORCHSEL_HOST", environ.get("TORCHSEL_HOST"))):
        if name:
            from torchsel.hosts.load import read_host  # noqa: PLC0415 - only where a host is named

            return read_host(name, source), ()
    from torchsel.probes.run import probe  # noqa: PLC0415 - not needed with a recorded host

    driver = environ.get("UV_CUDA_DRIVER_VERSION")
    gfx_target = environ.get("UV_AMD_GPU_ARCHITECTURE")
    if driver or gfx_target:
        return _overridden(this_platform(), driver, gfx_target), ()
    return probe(environ=environ)


def this_platform() -> Host:
    """This machine without its accelerators."""
    from torchsel.probes.scene import read_machine  # noqa: PLC0415 - seldom needed
    from torchsel.probes.system import RealSystem  # noqa: PLC0415 - seldom needed

    return read_machine(RealSystem())[0]


def _overridden(machine: Host, driver: str | None, gfx_target: str | None) -> Host:
    """This platform with the accelerator that uv's variables name, as uv itself takes them."""
    accelerators = []
    if driver:
        if not all(part.isascii() and part.isdigit() for part in driver.split(".")):
            msg = f"UV_CUDA_DRIVER_VERSION: {driver!r} is not a driver version such as '580.65.06'"
            raise ConfigError(msg)
        accelerators.append(Accelerator(vendor="nvidia"))
    if gfx_target:
        accelerators.append(Accelerator(vendor="amd", gfx_target=gfx_target))
    given = {"UV_CUDA_DRIVER_VERSION": driver, "UV_AMD_GPU_ARCHITECTURE": gfx_target}
    note = f"accelerators taken from {' and '.join(name for name, value in given.items() if value)}"
    return replace(machine, nvidia_driver=driver or None, accelerators=tuple(accelerators), notes=(note,))
