"""``torchsel uv ARGS``: bring the project in sync, then become uv with this machine's group or extra."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torchsel.answer import Program, Repeat
from torchsel.commands.apply import repaired
from torchsel.commands.survey import options
from torchsel.config.request import resolve_host
from torchsel.errors import ConfigError, TorchselError
from torchsel.pipeline import prepare, report
from torchsel.pipeline.apply import Mode, Outcome, apply
from torchsel.pipeline.inputs import Inputs, Options, decide, read_inputs, strategy_in
from torchsel.pipeline.missing import learn, unlearn
from torchsel.pipeline.script import environment_python, plan_for_run
from torchsel.project.environment import has_place
from torchsel.project.toml_file import read_text
from torchsel.project.workspace import Project, find_pyproject, load_project
from torchsel.strategies.alternatives import SYNCS_AFTER, TAKES_FLAGS
from torchsel.strategies.choice import choose
from torchsel.uv.call import CHANGES_LOCK, PROJECT_COMMANDS, UvCall
from torchsel.uv.program import Uv, find_uv

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torchsel.answer import Answer, Draft
    from torchsel.commands.context import Context
    from torchsel.strategies.protocol import Strategy

_NOT_DISABLED = ("", "0", "false")
"""Values of the variable with which torchsel is at work; the shell functions take the same."""

_PASSED_ON = ("--project", "--directory", "--package", "--python", "-p", "--cache-dir", "--config-file")
_NOT_FOR_SCRIPTS = frozenset(
    {"--with", "-w", "--with-editable", "--with-requirements", "--env-file", "--isolated", "--no-sources"}
)
_PASSED_ON_FLAGS = frozenset({"--offline", "--active", "-q", "--quiet", "--no-cache", "-n", "--no-progress"})


def add_arguments(parser: ArgumentParser) -> None:
    """None: all that follows is uv's."""


def run(context: Context) -> Answer:
    """Apply where the routing matters, then become uv."""
    return repaired(context, _run)


def _run(context: Context) -> Answer:
    wrapper = Wrapper(
        call=context.call,
        options=options(context),
        draft=context.draft,
        environ=context.environ,
        is_hooked=context.arguments.hooked,
    )
    is_disabled = context.environ.get("TORCHSEL_DISABLE", "") not in _NOT_DISABLED
    if is_disabled:
        return wrapper.plain()
    if context.call.command == "sync" and prepare.OPTION in context.call.options:
        code = prepare.prepare(context.call, options(context), context.draft, context.environ)
        return context.draft.answer(code=code)
    return wrapper.answer()


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrapper:
    """One wrapped call of uv; ``is_hooked`` where somebody typed uv, and a shell function torchsel."""

    call: UvCall
    options: Options
    draft: Draft
    environ: Mapping[str, str]
    is_hooked: bool = False

    def answer(self) -> Answer:
        """Do what has to come before uv; the answer is to become it, or its exit code.

        Raises:
            ConfigError: the configuration is wrong.
            MachineError: uv is missing, or routing and lock could not be brought in sync.
        """
        project = self._project()
        uv = self._uv(project)
        started = self._script(self.call.script, uv) if self.call.script else None
        if started or project is None:
            return started or self._become(uv, self.call.arguments)
        options = replace(self.options, folder=self.call.folder, call=self.call)
        strategy = strategy_in(project, options, self.environ)
        if strategy.name == "adopted":
            return self._adopted(strategy, options, uv)
        if not project.is_configured:
            if not self.is_hooked:
                name = project.root.path.name
                self.draft.say(f"{name} has no [tool.torchsel], so this is plain uv; see 'torchsel init'")
            return self._become(uv, self.call.arguments)
        found, is_sure = self._before(project, uv)
        uv = self._placed(found, uv)
        if found.decision.alternatives or self.call.command in SYNCS_AFTER:
            return self._choosing(found, uv, is_sure=is_sure)
        if self.call.command not in CHANGES_LOCK or self.call.keeps_lock:
            return self._become(uv, self.call.arguments, is_sure=is_sure)
        self.draft.flush()
        code = uv.run(self.call.arguments)
        if code > 0 and self._locks_instead(found, uv):
            code = uv.run(self.call.arguments)
        if code == 0:
            self._apply(write=True)
        return self.draft.answer(code=code)

    def plain(self) -> Answer:
        """Become uv at once, whatever the project says.

        Raises:
            MachineError: uv is missing.
        """
        return self._become(self._uv(None), self.call.arguments, is_sure=False)

    def _become(self, uv: Uv, arguments: Sequence[str], *, is_sure: bool = True) -> Answer:
        """The process becomes uv; that can be repeated where it ``is_sure`` to be right the next time."""
        program = Program(path=uv.program, arguments=tuple(arguments), environ=uv.environ)
        return self.draft.answer(program=program, repeat=self._repeat() if is_sure else None)

    def _repeat(self) -> Repeat | None:
        """How far the call may be repeated.

        Not where nothing is looked up for it, and words may be secrets; without a target, which the next
        call may have; and with a script that has metadata of its own, which depends on far more.
        """
        call = self.call
        is_kept = call.command in PROJECT_COMMANDS and (call.command != "run" or call.target)
        if not is_kept or (call.script and _has_metadata(call.script)):
            return None
        return Repeat(rest=call.target[1:])

    def _script(self, path: Path, uv: Uv) -> Answer | None:
        """Run a script that has metadata of its own with this machine's build, without writing to it.

        None where it is plain uv's.
        """
        plan = plan_for_run(path, self.options, self.environ) if path.is_file() else None
        if plan is None:
            return None
        refused = sorted(_NOT_FOR_SCRIPTS.intersection(self.call.options))
        if refused:
            self.draft.warn(
                f"with {refused[0]} torchsel can't choose a torch for {path.name}, and uv takes its own;"
                f" 'torchsel apply --script {path}' writes the choice into the script"
            )
            return None
        report.warn(plan.inputs, self.draft)
        tag = plan.inputs.selection.backend.tag
        self.draft.detail(f"{path.name}: {tag} ({report.reason(plan.inputs)})")
        self.draft.flush()
        python = environment_python(plan, uv, self._passed_on())
        if folders := self.call.values_of("--directory"):
            os.chdir(folders[-1])
        folder = python.parent
        search = os.pathsep.join([str(folder), self.environ.get("PATH", "")])
        inside = {**self.environ, "VIRTUAL_ENV": str(folder.parent), "PATH": search, "UV": str(uv.program)}
        return self.draft.answer(program=Program(path=python, arguments=self.call.target, environ=inside))

    def _adopted(self, strategy: Strategy, options: Options, uv: Uv) -> Answer:
        """Choose among the project's own extras or groups, if the command line leaves any."""
        chooses = self.call.command in TAKES_FLAGS | SYNCS_AFTER
        is_open = chooses and strategy.is_open
        if not is_open:  # its environment is still the one for what the user named
            strategy = strategy_in(strategy.setting.project, replace(options, call=None), self.environ)
            if not strategy.is_open or not has_place(strategy.setting.config.environment, self.environ):
                return self._become(uv, self.call.arguments)
        host, findings = resolve_host(option=options.host, environ=self.environ)
        found = decide(strategy, host, findings, options=options)
        uv = self._placed(found, uv)
        if not is_open:
            return self._become(uv, self.call.arguments)
        if found.decision.chosen is None:
            report.tell_notes(found, self.draft)
            return self._become(uv, self.call.arguments)
        return self._choosing(found, uv)

    def _choosing(self, found: Inputs, uv: Uv, *, is_sure: bool = True) -> Answer:
        """Run uv with the flags that choose this machine's group or extra.

        What changes the project and then syncs is done in two steps, as packages that it brings may have to
        be routed first, and its ``--group`` means another thing.
        """
        flags, uv = self._chosen(found, uv)
        if self.call.command in TAKES_FLAGS:
            return self._become(uv, self.call.with_flags(*flags), is_sure=is_sure)
        if self.call.command not in SYNCS_AFTER or not self.call.syncs:
            return self._become(uv, self.call.arguments, is_sure=is_sure)
        self.draft.flush()
        is_ours = found.strategy.name != "adopted"
        if is_ours and self.call.brings:
            self._route(ahead=True)
        code = uv.run(self.call.with_flags("--no-sync"))
        if code:
            if is_ours and self.call.brings:
                self._route(ahead=False)
            return self.draft.answer(code=code)
        if is_ours:
            self._apply(write=True)
        exact = () if self.call.command == "remove" else ("--inexact",)
        return self._become(uv, ["sync", *self._passed_on(), *exact, *flags], is_sure=False)

    def _placed(self, found: Inputs, uv: Uv) -> Uv:
        """As before, at work on the environment of the build that this call takes."""
        alternatives, chosen = found.decision.alternatives, found.decision.chosen
        tag = alternatives.tag_taken(chosen, self.call) if alternatives else None
        environment = found.environment(self.environ, tag)
        if environment.note:
            self.draft.say(environment.note)
        return replace(uv, environ={**uv.environ, **environment.variables(uv.environ)})

    def _chosen(self, found: Inputs, uv: Uv) -> tuple[tuple[str, ...], Uv]:
        """Flags that choose, and uv with the variables that do."""
        decision = found.decision
        if decision.alternatives is None:
            return (), uv
        report.warn(found, self.draft)
        report.tell_notes(found, self.draft)
        if decision.chosen is None:
            self.draft.warn(found.strategy.drift(decision))
        scope = decision.alternatives.scope
        self.draft.detail(f"{scope} {decision.chosen}: {decision.tag} ({report.reason(found)})")
        choice = choose(found.setting, decision, self.call, environ=self.environ, uv=uv)
        return choice.flags, replace(uv, environ={**uv.environ, **choice.variables})

    def _passed_on(self) -> list[str]:
        """Options of a call that its second half, a ``uv sync``, needs as well."""
        valued = [part for name, value in self.call.values if name in _PASSED_ON for part in (name, value)]
        return [*valued, *(name for name in self.call.options if name in _PASSED_ON_FLAGS)]

    def _before(self, project: Project, uv: Uv) -> tuple[Inputs, bool]:
        """Route, and route again what a lock made for the occasion names.

        Also whether that is all: a lock that could not be made has to be tried again the next time.
        """
        outcome = self._apply(write=not self.call.keeps_lock, anew=self.options.anew)
        if self.call.keeps_lock:
            if not outcome.inputs.decision.alternatives:
                report.warn(outcome.inputs, self.draft)
            if outcome.changed:
                self._say_kept(outcome)
            return outcome.inputs, True
        will_lock = not outcome.relocked and self.call.command not in CHANGES_LOCK and _is_lock_stale(project)
        if not will_lock:
            return outcome.inputs, True
        self.draft.flush()
        if uv.lock(project.folder) and not self._locks_instead(outcome.inputs, uv):
            return outcome.inputs, False
        return self._apply(write=True).inputs, True

    def _locks_instead(self, found: Inputs, uv: Uv) -> bool:
        """Whether uv, which failed, locks with another build, as the index lacks the one that was chosen."""
        if not (builds := learn(found, uv, self.environ)):
            return False
        self._apply(write=True)
        self.draft.flush()
        if uv.lock(found.project.folder) is None:
            return True
        unlearn(found, builds, self.environ)
        self._apply(write=True)
        return False

    def _route(self, *, ahead: bool) -> None:
        """Route what ``uv add`` is about to bring, or take that back; uv itself brings the lock along."""
        call = self.call if ahead else None
        options = replace(self.options, folder=self.call.folder, call=call, anew=False)
        mode = Mode(lock=False)
        apply(read_inputs(options, self.environ), mode, self.environ, speaker=self.draft)

    def _apply(self, *, write: bool, anew: bool = False) -> Outcome:
        options = replace(self.options, folder=self.call.folder, anew=anew)
        found = read_inputs(options, self.environ)
        for finding in found.findings:
            self.draft.detail(report.finding(finding))
        outcome = apply(found, Mode(write=write), self.environ, speaker=self.draft)
        if write:
            report.tell(outcome, self.draft)
        return outcome

    def _say_kept(self, outcome: Outcome) -> None:
        self.draft.warn(
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
        return Uv(program=find_uv(self.environ, outside=outside), environ=self.environ)


def _has_metadata(script: Path) -> bool:
    """Whether a script has a block of its own (PEP 723)."""
    try:
        return "# /// script" in read_text(script)
    except TorchselError:
        return True


def _is_lock_stale(project: Project) -> bool:
    """Whether uv may be about to lock: there is no uv.lock, or a pyproject.toml is younger."""
    lock = project.folder / "uv.lock"
    try:
        return any(file.path.stat().st_mtime_ns > lock.stat().st_mtime_ns for file in project.files)
    except OSError:
        return True
