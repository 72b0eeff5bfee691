"""Bringing a project in sync for one call of uv's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torchsel.answer import Draft
from torchsel.commands.uv.doubts import INSTALLS
from torchsel.errors import ConfigError
from torchsel.pipeline import report
from torchsel.pipeline.apply import apply
from torchsel.pipeline.inputs import Inputs, Options, read_inputs
from torchsel.pipeline.missing import learn, unlearn, without
from torchsel.pipeline.outcome import Mode, Outcome
from torchsel.project.lock import is_in_lock
from torchsel.project.project import Project
from torchsel.strategies.choice import comes_to
from torchsel.uv.call import CHANGES_LOCK, FLAG_VARIABLES, UvCall
from torchsel.uv.halves import for_lock
from torchsel.uv.program import Uv


@dataclass(frozen=True, kw_only=True, slots=True)
class Preparation:
    """What comes before ``call``, and between its halves."""

    call: UvCall
    options: Options
    draft: Draft
    environ: Mapping[str, str]

    def before(self, project: Project, uv: Uv) -> tuple[Inputs, bool]:
        """Route, and route again what a lock made for the occasion names.

        Also whether that is all: a lock that could not be made has to be tried again the next time.
        """
        mode = self._mode(write=not self.call.keeps_lock)
        outcome = self.apply(write=mode.write, anew=self.options.anew)
        if self.call.keeps_lock:
            if not outcome.inputs.decision.alternatives:
                report.warn(outcome.inputs, self.draft)
            if outcome.changed:
                self._refuse_unrouted(outcome)
                self._say_kept(outcome)
            return outcome.inputs, True
        will_lock = not outcome.relocked and self.call.command not in CHANGES_LOCK and _is_lock_stale(project)
        if not will_lock:
            return outcome.inputs, True
        self.draft.flush()
        told = replace(uv, told=mode.told, start=mode.start)
        if told.lock(project.folder) and not self.locks_instead(outcome.inputs, told):
            return outcome.inputs, False
        return self.apply(write=True).inputs, True

    def locks_instead(self, found: Inputs, uv: Uv) -> bool:
        """Whether uv, which failed, locks with another build, as the index lacks the one that was chosen."""
        if not (builds := learn(found, uv, self.environ)):
            return False
        without(found, builds, self.environ)  # for what it refuses: `apply` below reads anew
        self.apply(write=True)
        self.draft.flush()
        if uv.lock(found.project.folder) is None:
            return True
        unlearn(found, builds, self.environ)
        self.apply(write=True)
        return False

    def apply(self, *, write: bool, anew: bool = False) -> Outcome:
        """Bring routing and lock in sync, or only look; what was done is said."""
        options = replace(self.options, folder=self.call.folder, call=self.call, anew=anew)
        found = read_inputs(options, self.environ)
        for finding in found.findings:
            self.draft.detail(finding.line)
        outcome = apply(found, self._mode(write=write), self.environ, speaker=self.draft)
        if write:
            report.tell(outcome, self.draft)
        return outcome

    def _mode(self, *, write: bool) -> Mode:
        """How far to go, and what uv's lock is told: in the folder that relative paths are meant for."""
        call = self.call
        told, places = for_lock(call), call.values_of("--directory")
        start = call.start / "".join(places[-1:])
        return Mode(write=write, told=told, start=start if told else None)

    def _refuse_unrouted(self, outcome: Outcome) -> None:
        """Stop before uv installs its own torch: nothing here says where this machine's is.

        Raises:
            ConfigError: torch is not routed.
        """
        found, call = outcome.inputs, self.call
        flags = sorted({"--locked", "--frozen", "--check"}.intersection(call.options))
        if not flags or call.command not in INSTALLS | {"lock"} or found.strategy.is_routed:
            return
        if comes_to(found.project, call, ["torch"]):
            set_by = [name for name, flag in FLAG_VARIABLES.items() if flag == flags[0]]
            is_typed = flags[0] in call.arguments
            msg = (
                f"{found.project.root.path}: torch is not routed yet, and"
                f" {flags[0] if is_typed else set_by[0]} is to write nothing; first run 'torchsel lock'"
                f"{'' if is_typed else ' without it'}"
            )
            raise ConfigError(msg)

    def _say_kept(self, outcome: Outcome) -> None:
        self.draft.warn(
            f"this machine needs {report.route(outcome)}, which is not what is routed, and this call keeps"
            " files as they are; run 'torchsel' first to have it"
        )


def _is_lock_stale(project: Project) -> bool:
    """Whether uv may be about to lock: uv.lock is older than a pyproject.toml, or lacks what one requires."""
    lock = project.folder / "uv.lock"
    try:
        if any(file.path.stat().st_mtime_ns > lock.stat().st_mtime_ns for file in project.files):
            return True
    except OSError:
        return True
    return not is_in_lock(project)
