"""``torchsel uv ARGS``: bring the project in sync, then become uv with this machine's group or extra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torchsel.answer import Answer, Draft, Program
from torchsel.commands.apply import repaired
from torchsel.commands.context import Context
from torchsel.commands.survey import options
from torchsel.commands.uv import prepare, scripts
from torchsel.commands.uv.insync import WITHOUT_SOURCES, Preparation, doubts
from torchsel.commands.uv.scripts import has_metadata
from torchsel.config.request import resolve_host
from torchsel.errors import ConfigError
from torchsel.files.snapshot import taken_back
from torchsel.pipeline import report
from torchsel.pipeline.inputs import Inputs, decide, strategy_in
from torchsel.project.environment import has_place
from torchsel.project.folders import find_pyproject
from torchsel.project.project import Project
from torchsel.project.workspace import load_project
from torchsel.strategies.alternatives import SYNCS_AFTER, TAKES_FLAGS
from torchsel.strategies.choice import choose, is_wanted, unasked_groups
from torchsel.strategies.protocol import Options, Strategy
from torchsel.uv.call import CHANGES_LOCK, PROJECT_COMMANDS, UvCall, read_uv_call
from torchsel.uv.halves import first_half, second_half
from torchsel.uv.program import Uv, find_uv

_NOT_DISABLED = ("", "0", "false")
"""Values of the variable with which torchsel is at work; the shell functions take the same."""


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
    if context.environ.get("TORCHSEL_DISABLE", "") not in _NOT_DISABLED:
        return wrapper.plain()
    if context.call.command == "sync" and prepare.OPTION in context.call.options:
        return Answer(prepare.prepare(wrapper.call, wrapper.options, wrapper.draft))
    return wrapper.answer()


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrapper:
    """One wrapped call of uv; ``is_hooked`` where somebody typed uv, and a shell function torchsel.

    ``note`` is called whenever files have changed.
    """

    call: UvCall
    options: Options
    draft: Draft
    environ: Mapping[str, str]
    is_hooked: bool = False
    note: Callable[[], None] = lambda: None

    def answer(self) -> Answer:
        """Do what has to come before uv; the answer is to become it, or its exit code.

        Raises:
            ConfigError: the configuration is wrong.
            MachineError: uv is missing, or routing and lock could not be brought in sync.
        """
        project = self._project()
        uv = self._uv(project)
        started = scripts.started(self.call, self.options, uv, self.draft)
        if started or project is None:
            return started or self._become(uv)
        if self.call.command not in SYNCS_AFTER or self.call.keeps_lock:
            return self._for_project(project, uv)
        # uv takes its own changes back where it fails, and so does a command of several steps
        with taken_back(project) as changed:
            answer = replace(self, note=changed.note)._for_project(project, uv)
            changed.is_done = answer.code == 0
        return answer

    def _for_project(self, project: Project, uv: Uv) -> Answer:
        """Route, and go on with uv."""
        strategy = strategy_in(project, self.options)
        if strategy.is_users:
            return self._adopted(strategy, uv)
        if not project.is_configured:
            if not self.is_hooked:
                told = "has no [tool.torchsel], so this is plain uv; to have torch routed: torchsel init"
                self.draft.say(f"{project.root.path.name} {told}")
            return self._become(uv)
        uv.require(strategy.oldest_uv, f" for {strategy.name}")
        found, is_sure = self._preparation.before(project, uv)
        self.note()
        uv = self._placed(found, uv)
        self._say_doubts(found, is_locked=is_sure)
        # a lock has all alternatives, so that there is nothing to choose for it
        if found.decision.alternatives and self.call.command != "lock":
            return self._choosing(found, uv, is_sure=is_sure)
        report.tell_choice(found, self.draft)
        if self.call.command not in CHANGES_LOCK or self.call.keeps_lock:
            return self._become(uv, is_sure=is_sure)
        return self._changing(found, uv)

    def plain(self) -> Answer:
        """Become uv at once, whatever the project says.

        Raises:
            MachineError: uv is missing.
        """
        return self._become(self._uv(None), is_sure=False)

    def _become(self, uv: Uv, *flags: str, is_sure: bool = True) -> Answer:
        """The process becomes uv; that can be repeated where it ``is_sure`` to be right the next time."""
        arguments = self.call.with_flags(*flags)
        program = Program(path=uv.program, arguments=arguments, environ=uv.environ)
        is_lasting = is_sure and self._is_repeatable
        return Answer(program=program, is_lasting=is_lasting, rest=self.call.target[1:])

    @property
    def _is_repeatable(self) -> bool:
        call = self.call
        # for other commands nothing is looked up, and words may be secrets; the next "uv run" may start one
        if call.command not in PROJECT_COMMANDS or (call.command == "run" and not call.target):
            return False
        # a script with metadata of its own depends on far more, and standard input says another one each time
        return not has_metadata(call.script) and call.target[:1] != ("-",)

    def _adopted(self, strategy: Strategy, uv: Uv) -> Answer:
        """Choose among the project's own extras or groups, if the command line leaves any."""
        chooses = self.call.command in TAKES_FLAGS | SYNCS_AFTER
        is_open = chooses and strategy.is_open
        if not is_open:  # its environment is still the one for what the user named
            strategy = strategy_in(strategy.setting.project, replace(self.options, call=None))
            if not strategy.is_open or not has_place(strategy.setting.config.environment, self.environ):
                return self._become(uv)
        uv.require(strategy.oldest_uv, " for torch by extra or group")
        host, findings = resolve_host(option=self.options.host, environ=self.environ)
        found = decide(strategy, host, findings)
        uv = self._placed(found, uv)
        if not is_open:
            return self._become(uv)
        if found.decision.chosen is None:
            report.tell_notes(found, self.draft)
            return self._become(uv)
        self._say_doubts(found)
        return self._choosing(found, uv)

    def _say_doubts(self, found: Inputs, *, is_locked: bool = True) -> None:
        for doubt in doubts(found, self.call, is_locked=is_locked):
            self.draft.warn(doubt)

    def _changing(self, found: Inputs, uv: Uv) -> Answer:
        """Run uv's own command, whole; a sync follows only where its lock names more to route."""
        self.draft.flush()
        code = uv.run(self.call.arguments)
        # below zero is a signal: whoever sent it does not want another try
        if code > 0 and self._preparation.locks_instead(found, uv):
            code = uv.run(self.call.arguments)
        self.note()
        if code:
            return Answer(code)
        outcome = self._preparation.apply()
        self.note()
        is_synced = self.call.command in SYNCS_AFTER and self.call.syncs
        if is_synced and (outcome.changed or outcome.relocked):
            code = self._synced(uv, outcome.inputs)
        return Answer(code)

    def _choosing(self, found: Inputs, uv: Uv, *, is_sure: bool = True) -> Answer:
        """Run uv with the flags that choose this machine's group or extra."""
        report.tell_choice(found, self.draft)
        if self.call.command in TAKES_FLAGS:
            flags, uv = self._chosen(found, uv, self.call)
            return self._become(uv, *flags, is_sure=is_sure)
        if self.call.command not in SYNCS_AFTER or not self.call.syncs:
            return self._become(uv, is_sure=is_sure)
        self.draft.flush()
        # two steps: packages that it brings may have to be routed first, and its --group means another thing
        code = uv.run(first_half(self.call))
        self.note()
        if code == 0:
            if not found.strategy.is_users:
                found = self._preparation.apply().inputs
                self.note()
            code = self._synced(uv, found)
        return Answer(code)

    def _synced(self, uv: Uv, found: Inputs) -> int:
        start, words = self.call.start, ["sync", *second_half(self.call)]
        alternatives = found.decision.alternatives
        call = read_uv_call(words, start, environ=self.environ)
        # uv's own "add" installs no default groups
        if alternatives and self.call.command == "add":
            left = unasked_groups(found.project, call, alternatives)
            words += [part for name in left for part in ("--no-group", name)]
            call = read_uv_call(words, start, environ=self.environ)
        flags, uv = self._chosen(found, uv, call)
        self.draft.flush()
        return uv.run([*words, *flags])

    def _placed(self, found: Inputs, uv: Uv) -> Uv:
        """As before, at work on the environment of the build that this call takes."""
        alternatives, chosen = found.decision.alternatives, found.decision.chosen
        tag = alternatives.tag_taken(chosen, self.call) if alternatives else None
        environment = found.environment(tag)
        if environment.note:
            self.draft.say(environment.note)
        return replace(uv, environ={**uv.environ, **environment.variables(uv.environ)})

    def _chosen(self, found: Inputs, uv: Uv, call: UvCall) -> tuple[tuple[str, ...], Uv]:
        """Flags by which ``call`` chooses, and uv with the variables that do."""
        decision = found.decision
        if not is_wanted(found.strategy, call):
            decision = replace(decision, chosen=None)
        choice = choose(found.setting, decision, call, environ=self.environ, uv=uv)
        return choice.flags, replace(uv, environ={**uv.environ, **choice.variables})

    @property
    def _preparation(self) -> Preparation:
        return Preparation(call=self.call, options=self.options, draft=self.draft)

    def _project(self) -> Project | None:
        """The project the call is for; None where it needs none, or there is none."""
        if not self.call.is_for_project or self.call.only_writes or has_metadata(self.call.script):
            return None
        if self._folder() is None:
            return None
        project = load_project(self.call.folder)
        if "--no-sources" in self.call.options and project.is_configured:
            self.draft.warn(WITHOUT_SOURCES)
        # managed = false in [tool.uv]: uv itself takes it for no project
        return project if project.is_managed and "--no-sources" not in self.call.options else None

    def _folder(self) -> Path | None:
        """The folder of the nearest pyproject.toml, whose programs are not to be trusted."""
        try:
            return find_pyproject(self.call.folder).parent
        except ConfigError:
            return None

    def _uv(self, project: Project | None) -> Uv:
        outside = project.folder if project else self._folder()
        return Uv(program=find_uv(self.environ, outside=outside), environ=self.environ)
