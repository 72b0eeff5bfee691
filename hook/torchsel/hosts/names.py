"""GPU names as people, drivers and schedulers write them, found in the catalog."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Final

from torchsel.catalog.catalog import accelerator_of, load_catalog
from torchsel.catalog.rows import Gpu
from torchsel.host import Accelerator

LONGEST_NAME: Final = 120
"""Characters of a name that are looked at; the longest in use has about 50."""

_SLICE = re.compile(r"[-_ ]mig[-_ ].*|[-_ ]?\d+c?\.?\d*g\.\d+gb.*", re.DOTALL)
"""What tells a slice of a GPU: ``-MIG-1g.5gb`` in Kubernetes, ``_3g.40gb`` in Slurm."""
_FORM = re.compile(
    r"\d+gb?|sxm\d*|pcie?|hbm\d*e?|nvl\d*|oam|dgxs|fhhl|server|workstation|edition|generation|laptop|mobile"
    r"|gpu|graphics|shared",
    re.ASCII,
)
"""Words of a name that say nothing about what runs there: memory, form, place."""
_BRANDS = re.compile(r"(nvidia|amd|intel|tesla|geforce|radeon|instinct|arc|gtx|rtx|gt|rx)+(?=.)", re.ASCII)
_SM = re.compile(r"sm_?(\d{1,2})(\d)[af]?", re.ASCII)
_PCI = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}", re.ASCII)
_GFX = re.compile(r"gfx[0-9a-f]{3,5}", re.ASCII)


def find_accelerator(name: str) -> Accelerator | None:
    """The accelerator of a name (``V100``, ``nvidia_h100_80gb_hbm3``), a PCI id, ``sm_61`` or ``gfx942``.

    Intel's need no row in the catalog: what is not listed there is not supported.
    """
    text = name.strip().lower()
    if match := _SM.fullmatch(text):
        return Accelerator(vendor="nvidia", compute_capability=f"{match[1]}.{match[2]}")
    if _GFX.fullmatch(text):
        return Accelerator(vendor="amd", gfx_target=text)
    row = load_catalog().gpu(text) if _PCI.fullmatch(text) else find_gpu(name)
    if row is None and text.startswith("8086:") and _PCI.fullmatch(text):
        return Accelerator(vendor="intel", pci_id=text)
    return accelerator_of(row) if row else None


@lru_cache(maxsize=4096)
def find_gpu(name: str) -> Gpu | None:
    """The catalog's device of this name, None where the name is unknown or says too little."""
    return _by_essence().get(_essence(name))


@lru_cache(maxsize=1024)
def near_names(name: str) -> tuple[str, ...]:
    """At most three names of the catalog that are spelt much like this one."""
    known, essence = _by_essence(), _essence(name)
    # two letters are part of nearly every name
    close = [key for key in known if len(essence) > 2 and essence in key]
    close += get_close_matches(essence, known, n=3, cutoff=0.6)
    return tuple(dict.fromkeys(known[key].name for key in close))[:3]


def slug(accelerator: Accelerator) -> str:
    """A name for files: ``v100``, ``rtx3090``, ``mi300x``, ``sm86``, with nothing but letters and digits."""
    row = find_gpu(accelerator.name) if accelerator.name else None
    if row is None:
        capability = accelerator.compute_capability
        plain = f"sm{capability}" if capability else accelerator.gfx_target or accelerator.label
    else:
        plain = re.sub(r"\(.*|/.*|\b(tesla|geforce|radeon|instinct)\b", "", row.name.lower())
    return re.sub(r"[^a-z0-9]", "", plain.lower())[:40] or accelerator.vendor


def _essence(name: str) -> str:
    """What two spellings of one GPU share: ``Tesla-V100-SXM2-32GB-SHARED`` and ``v100`` are ``v100``."""
    text = _SLICE.sub("", name[:LONGEST_NAME].lower()).replace("max-q", "")
    words = [word for word in re.findall(r"[a-z0-9]+", text) if not _FORM.fullmatch(word)]
    joined = "".join(words)
    brand = _BRANDS.match(joined)
    return joined[brand.end() :] if brand else joined


@cache
def _by_essence() -> dict[str, Gpu]:
    """Each name's device, but for names that two different ones share, such as ``TITAN X``."""
    rows: dict[str, list[Gpu]] = {}
    for row in load_catalog().gpus:
        for essence in _essences(row):
            rows.setdefault(essence, []).append(row)
    return {essence: same[0] for essence, same in rows.items() if len({row.target for row in same}) == 1}


def _essences(row: Gpu) -> Iterator[str]:
    """Those of each name of a device: ``GB10 (DGX Spark)`` and ``A2 / A16`` have two, and the whole."""
    for name in (row.name, *re.split(r" / |[()]", row.name)):
        if essence := _essence(name):
            yield essence
