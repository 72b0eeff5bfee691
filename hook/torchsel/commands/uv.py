"""``torchsel uv ARGS``: bring the project in sync, then become uv with this machine's group or extra."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torchsel.config.request import resolve_host
from torchsel.errors import ConfigError
from torchsel.pipeline import report
from torchsel.pipeline.apply import Mode, Outcome, apply
from torchsel.pipeline.holds import first_hold
from torchsel.pipeline.inputs import Inputs, Options, decide, read_inputs, strategy_in
from torchsel.project.workspace import Project, find_pyproject, load_project
from torchsel.strategies.alternatives import SYNCS_AFTER, TAKES_FLAGS
from torchsel.uv.call import CHANGES_LOCK, UvCall
from torchsel.uv.program import Uv, find_uv

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torchsel.console import Console
    from torchsel.records.keep import Memo
    from torchsel.strategies.protocol import Strategy

_PASSED_ON = ("--project", "--directory", "--package", "--python", "-p", "--cache-dir", "--config-file")
_NOT_FOR_SCRIPTS = frozenset(
    {"--with", "-w", "--with-editable", "--with-requirements", "--env-file", "--isolated", "--no-sources"}
)
_PASSED_ON_FLAGS = frozenset({"--offline", "--active", "-q", "--quiet", "--no-cache", "-n", "--no-progress"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrapper:
    """One wrapped call of uv."""

    call: UvCall
    options: Options
    console: Console
    environ: Mapping[str, str]
    memo: Memo | None = None

    def run(self) -> int:
        """Do what has to come before uv, then become it; the exit code is uv's.

        Raises:
            ConfigError: the configuration is wrong.
            MachineError: uv is missing, or routing and lock could not be brought in sync.
        """
        project = self._project()
        uv = self._uv(project)
        if self.call.script:
            self._run_script(self.call.script, uv)
        if project is None:
            uv.replace_process(self.call.arguments)
        options = replace(self.options, folder=self.call.folder, call=self.call)
        strategy = strategy_in(project, options, self.environ)
        if strategy.name == "adopted":
            return self._run_adopted(strategy, options, uv)
        if not project.is_configured:
            uv.replace_process(self.call.arguments)
        found = self._before(project, uv)
        if found.decision.alternatives or self.call.command in SYNCS_AFTER:
            return self._run_choosing(found, uv)
        if self.call.command not in CHANGES_LOCK or self.call.keeps_lock:
            uv.replace_process(self.call.arguments)
        code = uv.run(self.call.arguments)
        if code == 0:
            self._apply(write=True)
        return code

    def _run_script(self, path: Path, uv: Uv) -> None:
        """Run a script that has metadata of its own with this machine's build, without writing to it."""
        from torchsel.pipeline.script import environment_python, plan_for_run  # noqa: PLC0415 - start-up time

        plan = plan_for_run(path, self.options, self.environ) if path.is_file() else None
        if plan is None:
            return
        refused = sorted(_NOT_FOR_SCRIPTS.intersection(self.call.options))
        if refused:
            self.console.warn(
                f"{refused[0]} can't be combined with the choice for a script;"
                f" 'torchsel apply --script {path.name}' writes it into the script instead"
            )
            return
        report.warn(plan.inputs, self.console)
        self.console.detail(
            f"{path.name}: {plan.inputs.selection.backend.tag} ({report.reason(plan.inputs)})"
        )
        python = environment_python(plan, uv, self._passed_on())
        if folders := self.call.values_of("--directory"):
            os.chdir(folders[-1])
        folder = python.parent
        search = os.pathsep.join([str(folder), self.environ.get("PATH", "")])
        inside = {**self.environ, "VIRTUAL_ENV": str(folder.parent), "PATH": search, "UV": str(uv.program)}
        replace(uv, program=python, environ=inside).replace_process(self.call.target)

    def _run_adopted(self, strategy: Strategy, options: Options, uv: Uv) -> int:
        """Choose among the project's own extras or groups, if the command line leaves any."""
        chooses = self.call.command in TAKES_FLAGS | SYNCS_AFTER
        if not chooses or not strategy.is_open:
            uv.replace_process(self.call.arguments)
        host, findings = resolve_host(option=options.host, environ=self.environ)
        found = decide(strategy, host, findings, options=options)
        if found.decision.chosen is None:
            report.tell_notes(found, self.console)
            uv.replace_process(self.call.arguments)
        return self._run_choosing(found, uv)

    def _run_choosing(self, found: Inputs, uv: Uv) -> int:
        """Run uv with the flags that choose this machine's group or extra.

        What changes the project and then syncs is done in two steps, as packages that it brings may have to
        be routed first, and its ``--group`` means another thing.
        """
        flags = self._flags(found)
        if self.call.command in TAKES_FLAGS:
            uv.replace_process(self.call.with_flags(*flags))
        if self.call.command not in SYNCS_AFTER or not self.call.syncs:
            uv.replace_process(self.call.arguments)
        code = uv.run(self.call.with_flags("--no-sync"))
        if code == 0:
            if found.strategy.name != "adopted":
                self._apply(write=True)
            exact = () if self.call.command == "remove" else ("--inexact",)
            uv.replace_process(["sync", *self._passed_on(), *exact, *flags])
        return code

    def _flags(self, found: Inputs) -> tuple[str, ...]:
        decision = found.decision
        if decision.alternatives is None:
            return ()
        report.warn(found, self.console)
        report.tell_notes(found, self.console)
        if decision.chosen is None:
            listed = ", ".join(decision.alternatives.tags)
            self.console.warn(f"this machine needs {decision.tag}, which is not among {listed}")
        scope = decision.alternatives.scope
        self.console.detail(f"{scope} {decision.chosen}: {decision.tag} ({report.reason(found)})")
        return decision.alternatives.flags(decision.chosen, self.call)

    def _passed_on(self) -> list[str]:
        """Options of a call that its second half, a ``uv sync``, needs as well."""
        valued = [part for name, value in self.call.values if name in _PASSED_ON for part in (name, value)]
        return [*valued, *(name for name in self.call.options if name in _PASSED_ON_FLAGS)]

    def _before(self, project: Project, uv: Uv) -> Inputs:
        """Route, and route again what a lock made for the occasion names."""
        outcome = self._apply(write=not self.call.keeps_lock)
        if self.call.keeps_lock:
            if not outcome.inputs.decision.alternatives:
                report.warn(outcome.inputs, self.console)
            if outcome.changed:
                self._say_kept(outcome)
            return outcome.inputs
        will_lock = not outcome.relocked and self.call.command not in CHANGES_LOCK and _is_lock_stale(project)
        if will_lock and not uv.lock(project.folder, upgrade=first_hold(outcome.inputs)):
            return self._apply(write=True).inputs
        return outcome.inputs

    def _apply(self, *, write: bool) -> Outcome:
        options = replace(self.options, folder=self.call.folder)
        found = read_inputs(options, self.environ)
        for finding in found.findings:
            self.console.detail(report.finding(finding))
        outcome = apply(found, Mode(write=write), self.environ, say=self.console.say)
        if write:
            report.tell(outcome, self.console)
        return outcome

    def _say_kept(self, outcome: Outcome) -> None:
        self.console.warn(
            f"this machine needs {report.route(outcome)}, which is not what is routed, and this call is to"
            " write nothing; the same without that flag changes it"
        )

    def _project(self) -> Project | None:
        """The project the call is for; None where it needs none, or there is none."""
        if not self.call.is_for_project:
            return None
        try:
            find_pyproject(self.call.folder)
        except ConfigError:
            return None
        project = load_project(self.call.folder)
        return project if project.is_managed else None

    def _folder(self) -> Path | None:
        """The folder of the nearest pyproject.toml, whose programs are not to be trusted."""
        try:
            return find_pyproject(self.call.folder).parent
        except ConfigError:
            return None

    def _uv(self, project: Project | None) -> Uv:
        outside = project.folder if project else self._folder()
        uv = Uv(program=find_uv(self.environ, outside=outside), environ=self.environ)
        return self.memo.watch(uv, self.call) if self.memo else uv


def _is_lock_stale(project: Project) -> bool:
    """Whether uv may be about to lock: there is no uv.lock, or a pyproject.toml is younger."""
    lock = project.folder / "uv.lock"
    try:
        return any(file.path.stat().st_mtime_ns > lock.stat().st_mtime_ns for file in project.files)
    except OSError:
        return True
