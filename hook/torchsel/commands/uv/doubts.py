"""Whether uv, as it is called, takes this machine's torch from the index that was chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torchsel.backend import backend_of_url
from torchsel.errors import MachineError
from torchsel.pipeline.holds import lock_drift, no_index
from torchsel.pipeline.inputs import Inputs
from torchsel.project.lock import Part, reached
from torchsel.project.places import canonical
from torchsel.project.requirement import parse_requirement
from torchsel.strategies.choice import comes_to
from torchsel.strategies.offers import targets
from torchsel.strategies.packages import named_packages
from torchsel.uv.call import CHANGES_LOCK, UvCall

WITHOUT_SOURCES = (
    "--no-sources (or UV_NO_SOURCES): uv takes torch from its default index, not as it is routed;"
    " leave it out to have that"
)

INSTALLS = frozenset({"sync", "run", "export", "check"})
"""uv's commands that end in an installed torch, or say which it is to be."""

_WITH = ("--with", "-w", "--with-editable")
_NEED_TORCH = frozenset(
    {"accelerate", "bitsandbytes", "deepspeed", "diffusers", "lightning", "peft", "pytorch-lightning",
     "sentence-transformers", "timm", "torchmetrics", "vllm", "sglang", "flash-attn"}
)  # fmt: skip
"""Packages that require torch in their own metadata, beside those of PyTorch's index."""


def unfamiliar(call: UvCall) -> Iterator[str]:
    """Options that uv's grammar does not have here; a sentence each."""
    for name in call.unknown:
        yield f"{name}: an option of uv's that is not known here; it is passed on as it stands"


def doubts(
    found: Inputs, call: UvCall, environ: Mapping[str, str], *, is_locked: bool = True
) -> tuple[str, ...]:
    """Sentences on what is likely to bring another torch; what is certain to is refused.

    Without ``is_locked``, uv.lock could not be made, and it is uv's to say why.

    Raises:
        MachineError: another torch than the chosen one would be installed.
    """
    apart = () if found.strategy.is_users else tuple(no_index(found.setting.present.uv))
    if call.command not in INSTALLS:
        return apart if call.command in CHANGES_LOCK else ()
    if error := _redirected(found, call, environ):
        raise MachineError(error)
    if is_locked and (error := _out_of_reach(found, call) or _unlocked(found, call)):
        raise MachineError(error)
    return (*apart, *_unsourced(found, call), *_layered(found, call))


def _redirected(found: Inputs, call: UvCall, environ: Mapping[str, str]) -> str:
    """An index of torchsel's name that leads to another backend."""
    tag = found.decision.tag
    names = {index.name for index in found.setting.present.indexes if index.backend == tag}
    given = {"UV_INDEX": environ.get("UV_INDEX", "").split(), "--index": call.values_of("--index")}
    for where, words in given.items():
        for name, equals, url in (word.partition("=") for word in words):
            other = backend_of_url(url) if equals and name in names else None
            if other and other.tag != tag:
                return (
                    f"{where} has {name} lead to {other.tag}, so uv would install that build and not {tag};"
                    f" take {name} out of {where}, or choose it: --backend {other.tag}"
                )
    return ""


def _out_of_reach(found: Inputs, call: UvCall) -> str:
    """Torch in what takes none of the extras by which it is chosen."""
    alternatives, chosen = found.decision.alternatives, found.decision.chosen
    is_by_extra = alternatives is not None and alternatives.scope == "extra" and chosen is not None
    if not is_by_extra or not _is_to_choose(found, call):
        return ""
    only = next((option for option in call.options if option in ("--only-group", "--only-dev")), None)
    files = targets(found.project, call.folder, call)
    if only is None and any(canonical(chosen or "") in file.present.names("extra") for file in files):
        return ""
    where = f"with {only} uv takes no extra" if only else f"{files[-1].present.package} has no extra {chosen}"
    return (
        f"{where}, so that it would install another build than {found.decision.tag};"
        ' strategy = "groups" in [tool.torchsel] reaches it'
    )


def _unlocked(found: Inputs, call: UvCall) -> str:
    """A uv.lock without the torch that is to be taken, of which somebody else decided."""
    decision, strategy = found.decision, found.strategy
    if not _is_to_choose(found, call) or strategy.routed(decision) != decision.tag:
        return ""
    drift = lock_drift(found)
    return drift and f"uv would install another build: {drift}"


def _is_to_choose(found: Inputs, call: UvCall) -> bool:
    """Whether torch is installed, from uv.lock, and torchsel is the one to say which."""
    alternatives = found.decision.alternatives
    if found.strategy.is_users or found.project.lock is None:
        return False
    if alternatives and (found.decision.chosen is None or alternatives.is_named_by(call)):
        return False
    return comes_to(found.project, call, named_packages(found.setting))


def _unsourced(found: Inputs, call: UvCall) -> Iterator[str]:
    """Packages whose sources are switched off."""
    routed, tag = named_packages(found.setting), found.decision.tag
    option = "--no-sources-package"
    for name in (word for value in call.values_of(option) for word in value.split()):
        if canonical(name) in routed:
            where = f"{option} {name}: uv takes it from its default index"
            yield f"{where}, not from that of {tag}; leave the option out to have that"


def _layered(found: Inputs, call: UvCall) -> Iterator[str]:
    """What ``uv run --with`` adds in a layer of its own, which has a torch of its own where it needs one."""
    lock, known = found.project.lock, (found.catalog.routable_packages | _NEED_TORCH) - {"torch"}
    for text in (word.strip() for value in call.values_of(*_WITH) for word in value.split(",")):
        requirement = parse_requirement(text)
        name = canonical(requirement.name) if requirement else ""
        below = reached(lock, [Part(package=name, lists={})]) if lock else set()
        has_own = name == "torch" and requirement is not None and bool(requirement.specifier)
        if has_own or name in known or "torch" in below:
            yield (
                f"--with {text}: uv resolves it apart from the project, with a torch of the default index,"
                f" not of {found.decision.tag}; add it to the project to have one torch"
            )
