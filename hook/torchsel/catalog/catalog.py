"""The catalog: which PyTorch builds exist and what they run on; plain tables in ``data/``, one row a fact."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Literal, cast

from torchsel.backend import Backend
from torchsel.catalog import rows
from torchsel.catalog.packages import PackageTables
from torchsel.catalog.rows import is_within, matches, release_key, release_text, table
from torchsel.host import Accelerator
from torchsel.vendors import FAMILIES, Vendor

Verdict = Literal["broken", "disputed"]

# the CPU's last, which runs wherever nothing else does
_FAMILIES = (*FAMILIES[1:], FAMILIES[0])


@dataclass(frozen=True, kw_only=True)
class Catalog(PackageTables):
    """All tables. ``builds`` are in the order of preference: newest torch first, then newest backend.

    ``is_narrowed`` tells that only builds that a project offers, at the releases it has locked, are listed:
    what else there is for another Python, and what other builds there are, can't be told by it.
    """

    all_builds: tuple[rows.Build, ...] = table("builds", rows.Build)
    release_table: tuple[rows.Release, ...] = table("releases", rows.Release)
    drivers: tuple[rows.Driver, ...] = table("drivers", rows.Driver)
    architectures: tuple[rows.Architecture, ...] = table("architectures", rows.Architecture)
    broken: tuple[rows.Broken, ...] = table("broken", rows.Broken)
    amd_index: tuple[rows.AmdIndex, ...] = table("amd_index", rows.AmdIndex)
    held: tuple[rows.Held, ...] = table("held", rows.Held)
    gpus: tuple[rows.Gpu, ...] = table("gpus", rows.Gpu)
    is_narrowed: bool = False

    def builds(
        self, torch: str | None = None, backend: str | None = None, platform: str | None = None
    ) -> tuple[rows.Build, ...]:
        """The builds that match, newest torch first, then newest CUDA or ROCm."""
        return tuple(
            build
            for build in self.all_builds
            if torch in (None, build.torch)
            and backend in (None, build.backend)
            and platform in (None, build.platform)
        )

    @cached_property
    def releases(self) -> tuple[str, ...]:
        """Every known release of torch, newest first."""
        return tuple(sorted({build.torch for build in self.all_builds}, key=release_key, reverse=True))

    def standing_for(self, torch: str | None) -> str | None:
        """The known release whose rows hold for ``torch``: itself, or the newest one before it.

        None stands for the newest release; the answer is None where ``torch`` is older than every row.
        """
        if torch is None:
            return self.releases[0]
        wanted = release_key(torch)
        return next((known for known in self.releases if release_key(known) <= wanted), None)

    def release_after(self, torch: str) -> str | None:
        """The known release that follows ``torch``, None where it is the newest one."""
        later = [row for row in self.releases if release_key(row) > release_key(torch)]
        return later[-1] if later else None

    def bounds_before(self, torch: str, packages: Collection[str]) -> tuple[str, ...]:
        """Requirements that keep a project before a release of torch: ``torch<2.15``, ``torchvision<0.29.2``.

        torchvision and torchaudio are bound where ``packages`` has them and that release has a new one.
        """
        # uv reads <2.15.0 and <2.15 alike; people write the short one
        bounds = [f"torch<{torch.removesuffix('.0')}"]
        older = self.releases[self.releases.index(torch) + 1 :]
        row, before = self.release(torch), self.release(older[0]) if older else None
        if row and before:
            pairs = ((name, new, before.companions[name]) for name, new in row.companions.items())
            bounds += [f"{name}<{new}" for name, new, old in pairs if name in packages and new and new != old]
        return tuple(bounds)

    def bounds_from(self, torch: str, packages: Collection[str]) -> tuple[str, ...]:
        """Requirements that admit a release of torch and none after it: ``torch>=2.14.1,<2.15``.

        Those of torchvision and torchaudio, where ``packages`` has them, admit what came with it.
        """
        following, row = self.release_after(torch), self.release(torch)
        ends = dict(text.split("<") for text in self.bounds_before(following, packages)) if following else {}
        return tuple(
            f"{name}>={first}{f',<{ends[name]}' if name in ends else ''}"
            for name, first in {"torch": torch, **(row.companions if row else {})}.items()
            if first and name in ("torch", *packages)
        )

    def release(self, torch: str) -> rows.Release | None:
        """The release row that holds for ``torch``."""
        wanted = release_key(torch)
        # the newest come first
        return next((row for row in self.release_table if release_key(row.torch) <= wanted), None)

    @cached_property
    def tags(self) -> frozenset[str]:
        """Every backend that some build is for."""
        return frozenset(build.backend for build in self.all_builds)

    @cached_property
    def platforms(self) -> frozenset[str]:
        """Every platform that some build is for."""
        return frozenset(build.platform for build in self.all_builds)

    def platforms_of(self, backend: str, torch: str | None = None) -> frozenset[str]:
        """Platforms with a build of ``backend``: of the release that holds for ``torch``, or of any release.

        Empty for a backend that is not in the catalog.
        """
        release = self.standing_for(torch) if torch is not None else None
        return frozenset(build.platform for build in self.builds(release, backend))

    def index_only_packages(self, backend: str, torch: str | None = None) -> tuple[str, ...]:
        """Packages that torch needs there and only the backend's own index has; None: the newest torch."""
        return tuple(
            row.package for row in self.index_only if _is_for(row, backend, torch or self.releases[0])
        )

    def held_back(self, backend: str, torch: str) -> str:
        """Why this build is not chosen while another runs, empty for nearly all."""
        return next((row.reason for row in self.held if _is_for(row, backend, torch)), "")

    def verdict_on(self, gfx: str, rocm: tuple[int, ...], verdict: Verdict) -> str:
        """Why a gfx target that a ROCm build lists does not run on it, or may not; empty where it does."""
        known = (row for row in self.broken if row.gfx == gfx and row.verdict == verdict)
        release = release_text(rocm)
        return next((row.reason for row in known if is_within(release, row.rocm_from, row.rocm_until)), "")

    def driver_minimum(
        self, cuda: tuple[int, ...], system: str, mode: Literal["minor", "strict"] = "minor"
    ) -> str | None:
        """The lowest driver for a CUDA release on ``linux`` or ``win32``, as NVIDIA writes it.

        ``minor`` is the CUDA major's minimum (minor-version compatibility), ``strict`` the first driver
        that came with that release or, where none did, with the release before it in the same major.
        """
        known = self._drivers["windows" if system == "win32" else "linux"]
        if mode == "strict":
            earlier = [key for key in known if len(key) > 1 and key[0] == cuda[0] and key <= cuda]
            if earlier:
                return known[max(earlier)]
        # minor-version compatibility: the driver of a CUDA major runs all of its releases
        return known.get(cuda[:1])

    @cached_property
    def _drivers(self) -> Mapping[str, Mapping[tuple[int, ...], str]]:
        return {
            system: {release_key(row.cuda): text for row in self.drivers if (text := getattr(row, system))}
            for system in ("linux", "windows")
        }

    def architecture(self, capability: str | None) -> rows.Architecture | None:
        """What is known of a compute capability."""
        return next((row for row in self.architectures if row.compute_capability == capability), None)

    def gpu(self, pci_id: str | None) -> rows.Gpu | None:
        """The device with this ``vendor:device`` id."""
        wanted = (pci_id or "").lower()
        return next((row for row in self.gpus if wanted and row.pci_id == wanted), None)

    @cached_property
    def integrated_targets(self) -> frozenset[str]:
        """The gfx targets that are graphics inside a processor."""
        return frozenset(row.target for row in self.gpus if row.vendor == "amd" and row.integrated == "yes")

    def without(self, builds: Collection[tuple[str, str]]) -> Catalog:
        """This catalog without builds, each a release and a backend, on whatever platform."""
        if not builds:
            return self
        kept = (row for row in self.all_builds if (row.torch, row.backend) not in builds)
        return replace(self, all_builds=tuple(kept))

    def with_builds(self, more: Iterable[rows.Build]) -> Catalog:
        """This catalog with ``more`` added, each in place of one for the same torch, backend and platform."""
        added = tuple(more)
        if not added:
            return self
        builds = {(row.torch, row.backend, row.platform): row for row in (*self.all_builds, *added)}
        return replace(self, all_builds=tuple(sorted(builds.values(), key=_preference)))


@cache
def load_catalog() -> Catalog:
    """The catalog that comes with the package."""
    return Catalog()


def accelerator_of(row: rows.Gpu) -> Accelerator:
    """A known device as a host has it, told by what its vendor's builds are chosen by."""
    if row.vendor == "nvidia":
        return Accelerator(vendor="nvidia", name=row.name, compute_capability=row.target)
    if row.vendor == "amd":
        return Accelerator(vendor="amd", name=row.name, gfx_target=row.target)
    return Accelerator(vendor=cast("Vendor", row.vendor), name=row.name, pci_id=row.pci_id)


def _is_for(row: rows.Held | rows.IndexOnly, backend: str, torch: str) -> bool:
    return matches(row.backends, backend) and is_within(torch, row.torch_from, row.torch_until)


def _preference(build: rows.Build) -> tuple[object, ...]:
    backend = Backend.parse(build.backend)
    newest_first = tuple(-part for part in release_key(build.torch))
    newest_backend = tuple(-part for part in (*backend.release, 0, 0, 0)[:3])
    return (newest_first, _FAMILIES.index(backend.family), newest_backend, build.platform)
