"""Bringing a project in sync for one call of uv's, and whether uv then takes the torch that was chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torchsel.answer import Draft
from torchsel.backend import backend_of_url
from torchsel.errors import ConfigError, MachineError
from torchsel.pipeline import report
from torchsel.pipeline.apply import apply, told_of
from torchsel.pipeline.inputs import Inputs, Outcome, read_inputs
from torchsel.pipeline.locking import learn, no_index, unlearn, without
from torchsel.project.lock import Part, is_in_lock, reached
from torchsel.project.places import canonical
from torchsel.project.project import Project
from torchsel.project.requirement import parse_requirement
from torchsel.strategies.choice import comes_to
from torchsel.strategies.offers import targets
from torchsel.strategies.packages import named_packages
from torchsel.strategies.protocol import Options
from torchsel.uv.call import CHANGES_LOCK, FLAG_VARIABLES, UvCall
from torchsel.uv.program import Uv

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Preparation:
    """What comes before ``call``, and between its halves."""

    call: UvCall
    options: Options
    draft: Draft

    def before(self, project: Project, uv: Uv) -> tuple[Inputs, bool]:
        """Route, and route again what a lock made for the occasion names.

        Also whether that is all: a lock that could not be made has to be tried again the next time.
        """
        is_kept = self.call.keeps_lock
        outcome = self.apply(write=not is_kept, anew=self.options.anew)
        found = outcome.inputs
        if is_kept:
            if not found.decision.alternatives:
                report.warn(found, self.draft)
            if outcome.changed:
                self._refuse_unrouted(found)
                self.draft.warn(
                    f"this machine needs {report.route(outcome)}, which is not what is routed, and this call"
                    " keeps files as they are; run 'torchsel' first to have it"
                )
            return found, True
        if outcome.relocked or self.call.command in CHANGES_LOCK or not _is_lock_stale(project):
            return found, True
        self.draft.flush()
        # a package that comes with a new lock may have to be routed before uv installs it
        told = told_of(uv, self.call)
        if told.lock(project.folder) and not self.locks_instead(found, told):
            return found, False
        return self.apply().inputs, True

    def locks_instead(self, found: Inputs, uv: Uv) -> bool:
        """Whether uv, which failed, locks with another build, as the index lacks the one that was chosen."""
        if not (builds := learn(found, uv)):
            return False
        without(found, builds)  # for what it refuses: `apply` below reads anew
        self.apply()
        self.draft.flush()
        if uv.lock(found.project.folder) is None:
            return True
        unlearn(found, builds)
        self.apply()
        return False

    def apply(self, *, write: bool = True, anew: bool = False) -> Outcome:
        """Bring routing and lock in sync, or only look; what was done is said."""
        found = read_inputs(replace(self.options, writes=write, anew=anew), self.draft)
        outcome = apply(found, self.draft)
        if write:
            report.tell(outcome, self.draft)
        return outcome

    def _refuse_unrouted(self, found: Inputs) -> None:
        """Stop before uv installs its own torch: nothing here says where this machine's is.

        Raises:
            ConfigError: torch is not routed.
        """
        call = self.call
        flags = sorted({"--locked", "--frozen", "--check"}.intersection(call.options))
        if not flags or call.command not in INSTALLS | {"lock"} or found.strategy.is_routed:
            return
        if comes_to(found.project, call, ["torch"]):
            # a flag may be a variable's: the user is told what to look for
            set_by = [name for name, flag in FLAG_VARIABLES.items() if flag == flags[0]]
            is_typed = flags[0] in call.arguments
            msg = (
                f"{found.project.root.path}: torch is not routed yet, and"
                f" {flags[0] if is_typed else set_by[0]} is to write nothing; first run 'torchsel lock'"
                f"{'' if is_typed else ' without it'}"
            )
            raise ConfigError(msg)


def _is_lock_stale(project: Project) -> bool:
    """Whether uv may be about to lock: uv.lock is older than a pyproject.toml, or lacks what one requires."""
    lock = project.folder / "uv.lock"
    try:
        is_older = any(file.path.stat().st_mtime_ns > lock.stat().st_mtime_ns for file in project.files)
    except OSError:
        return True
    return is_older or not is_in_lock(project)


def doubts(found: Inputs, call: UvCall, *, is_locked: bool = True) -> tuple[str, ...]:
    """Sentences on what is likely to bring another torch; what is certain to is refused.

    Without ``is_locked``, uv.lock could not be made, and it is uv's to say why.

    Raises:
        MachineError: another torch than the chosen one would be installed.
    """
    unknown = "an option of uv's that is not known here; it is passed on as it stands"
    unfamiliar = [f"{name}: {unknown}" for name in call.unknown]
    apart = () if found.strategy.is_users else tuple(no_index(found.setting.present.uv))
    if call.command not in INSTALLS:
        return (*unfamiliar, *(apart if call.command in CHANGES_LOCK else ()))
    error = _redirected(found, call)
    if not error and is_locked and _is_to_choose(found, call):
        error = _out_of_reach(found, call) or _unlocked(found)
    if error:
        raise MachineError(error)
    return (*unfamiliar, *apart, *_unsourced(found, call), *_layered(found, call))


def _redirected(found: Inputs, call: UvCall) -> str:
    """An index of torchsel's name that leads to another backend."""
    tag = found.decision.tag
    names = {index.name for index in found.setting.present.indexes if index.backend == tag}
    by_variable = found.setting.options.environ.get("UV_INDEX", "").split()
    given = {"UV_INDEX": by_variable, "--index": call.values_of("--index")}
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
    if alternatives is None or alternatives.scope != "extra" or chosen is None:
        return ""
    only = next((option for option in call.options if option in ("--only-group", "--only-dev")), None)
    files = targets(found.project, call.folder, call)
    if only is None and any(canonical(chosen) in file.present.names("extra") for file in files):
        return ""
    where = f"with {only} uv takes no extra" if only else f"{files[-1].present.package} has no extra {chosen}"
    return (
        f"{where}, so that it would install another build than {found.decision.tag};"
        ' strategy = "groups" in [tool.torchsel] reaches it'
    )


def _unlocked(found: Inputs) -> str:
    """A uv.lock without the torch that is to be taken, of which somebody else decided."""
    if found.strategy.routed(found.decision) != found.decision.tag:
        return ""
    drift = found.lock_drift
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
