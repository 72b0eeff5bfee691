"""``torchsel uv ARGS``: bring the project in sync, then become uv."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torchsel import report
from torchsel.apply import Mode, Outcome, apply
from torchsel.errors import ConfigError
from torchsel.project import Project, find_pyproject, load_project
from torchsel.survey import Options, Survey, survey
from torchsel.uvcall import CHANGES_LOCK, UvCall
from torchsel.uvtool import Uv, find_uv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchsel.console import Console


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrapper:
    """One wrapped call of uv."""

    call: UvCall
    words: Sequence[str]
    options: Options
    console: Console
    environ: Mapping[str, str]

    def run(self) -> int:
        """Do what has to come before uv, then become it; the exit code is uv's.

        Raises:
            ConfigError: the configuration is wrong.
            MachineError: uv is missing, or routing and lock could not be brought in sync.
        """
        project = self._project()
        if project is None or not project.is_configured:
            self._uv(project).replace_process(self.words)
        self._before(project)
        uv = self._uv(project)
        if self.call.command not in CHANGES_LOCK or self.call.keeps_lock:
            uv.replace_process(self.words)
        code = uv.run(self.words)
        if code == 0 and self._apply(write=True).relocked and self.call.command != "lock":
            uv.replace_process(["sync", "--project", str(project.folder)])
        return code

    def _before(self, project: Project) -> None:
        """Route, and route again what a lock made for the occasion names."""
        outcome = self._apply(write=not self.call.keeps_lock)
        if self.call.keeps_lock:
            if outcome.changed:
                self._say_kept(outcome)
            return
        will_lock = not outcome.relocked and self.call.command not in CHANGES_LOCK and _is_lock_stale(project)
        if will_lock and not self._uv(project).lock(project.folder, upgrade=_first_hold(outcome.survey)):
            self._apply(write=True)

    def _apply(self, *, write: bool) -> Outcome:
        options = replace(self.options, folder=self.call.folder)
        outcome = apply(survey(options, self.environ), Mode(write=write), self.environ, say=self.console.say)
        if write:
            report.tell(outcome, self.console)
        return outcome

    def _say_kept(self, outcome: Outcome) -> None:
        self.console.warn(
            f"this machine needs {report.route(outcome)}, which is not what is routed;"
            " run 'torchsel' without --locked or --frozen to change it"
        )

    def _project(self) -> Project | None:
        """The project the call is for; None where it needs none, or there is none."""
        if not self.call.is_for_project:
            return None
        try:
            find_pyproject(self.call.folder)
        except ConfigError:
            return None
        return load_project(self.call.folder)

    def _uv(self, project: Project | None) -> Uv:
        return Uv(
            program=find_uv(self.environ, outside=project.folder if project else None), environ=self.environ
        )


def _is_lock_stale(project: Project) -> bool:
    """Whether uv may be about to lock: there is no uv.lock, or a pyproject.toml is younger."""
    lock = project.folder / "uv.lock"
    try:
        return any(file.path.stat().st_mtime_ns > lock.stat().st_mtime_ns for file in project.files)
    except OSError:
        return True


def _first_hold(found: Survey) -> tuple[str, ...]:
    """A bound for the first lock, where the index has a newer torch than the one that runs here."""
    selection = found.selection
    if found.project.lock or selection.torch is None:
        return ()
    newest = found.catalog.builds(backend=selection.backend.tag, platform=found.host.platform)
    return (f"torch<={selection.torch}",) if newest and newest[0].torch != selection.torch else ()
