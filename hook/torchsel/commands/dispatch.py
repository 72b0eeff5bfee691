"""The commands: each surveys or checks, acts, and says what it did."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from torchsel.errors import EXIT_DRIFT, EXIT_OK, ConfigError
from torchsel.project.workspace import current_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torchsel.cli import Arguments
    from torchsel.console import Console
    from torchsel.pipeline.inputs import Inputs, Options
    from torchsel.strategies.protocol import Strategy

    Command = Callable[[Arguments, Console, Mapping[str, str]], int]


def run(arguments: Arguments, console: Console, environ: Mapping[str, str]) -> int:
    """Run the command that ``arguments`` name and return its exit code."""
    commands: dict[str, Command] = {
        "apply": run_apply,
        "init": run_init,
        "check": run_check,
        "backend": run_backend,
        "status": run_status,
        "detect": run_detect,
        "env": run_env,
        "hook": run_hook,
        "completion": run_completion,
        "schema": run_schema,
        "uv": run_uv,
    }
    command = commands[arguments.command]
    try:
        return command(arguments, console, environ)
    except ConfigError:
        if not _is_repaired(arguments, environ):
            raise
        return command(arguments, console, environ)


def _is_repaired(arguments: Arguments, environ: Mapping[str, str]) -> bool:
    """Whether a killed run had left files that could not be read, and they have been put right."""
    if arguments.command not in ("apply", "uv") or arguments.dry_run or arguments.diff:
        return False
    from torchsel.files.transaction import repair  # noqa: PLC0415 - after an error
    from torchsel.uv.call import read_uv_call  # noqa: PLC0415 - after an error

    call = read_uv_call(arguments.uv_arguments, arguments.folder, environ=environ)
    return repair(call.folder, environ)


def run_apply(arguments: Arguments, console: Console, environ: Mapping[str, str]) -> int:
    """``torchsel apply``: bring the routing in sync."""
    from torchsel.pipeline import report  # noqa: PLC0415 - start-up time
    from torchsel.pipeline.apply import Mode, apply  # noqa: PLC0415 - start-up time

    if arguments.script:
        return _apply_script(arguments, console, environ)
    found = _configured(arguments, console, environ)
    mode = Mode(
        write=not (arguments.dry_run or arguments.diff),
        lock=not arguments.no_lock,
        upgrade=arguments.upgrade,
    )
    outcome = apply(found, mode, environ, say=console.say)
    if arguments.diff:
        sys.stdout.write(report.diff(outcome))
    report.tell(outcome, console, dry=not mode.write)
    return EXIT_OK


def _apply_script(arguments: Arguments, console: Console, environ: Mapping[str, str]) -> int:
    """``torchsel apply --script FILE``: write the routing into a script's own block."""
    from torchsel.config.request import resolve_host  # noqa: PLC0415 - start-up time
    from torchsel.pipeline import report  # noqa: PLC0415 - start-up time
    from torchsel.pipeline.script import apply_script  # noqa: PLC0415 - start-up time

    path, dry = Path(arguments.script or ""), arguments.dry_run or arguments.diff
    host, _ = resolve_host(option=arguments.host, environ=environ)
    plan = apply_script(path, arguments.backend, host, environ, write=not dry)
    if arguments.diff:
        sys.stdout.write(report.text_diff(path.name, plan.script.text, plan.text))
    for note in plan.left_alone:
        console.warn(note)
    report.warn(plan.inputs, console)
    if plan.text != plan.script.text:
        would = "would route " if dry else ""
        tag, why = plan.inputs.selection.backend.tag, report.reason(plan.inputs)
        console.say(f"{would}{', '.join(plan.packages)} → {tag} in {path.name} ({why})")
        console.say(f"where it ran before, refresh its environment: uv sync --script {path.name} -P torch")
    return EXIT_OK


def run_init(arguments: Arguments, console: Console, environ: Mapping[str, str]) -> int:
    """``torchsel init``: write ``[tool.torchsel]`` and route; prints the change."""
    from torchsel.config.request import resolve_host  # noqa: PLC0415 - start-up time
    from torchsel.pipeline import init, report  # noqa: PLC0415 - start-up time
    from torchsel.project.workspace import load_project  # noqa: PLC0415 - start-up time

    path = load_project(arguments.folder).root
    if "torchsel" in path.table("tool"):
        console.say(f"{path.path} has [tool.torchsel] already; run 'torchsel' to bring the routing in sync")
        return EXIT_OK
    host, _ = resolve_host(option=arguments.host, environ=environ)
    wish = init.Wish(options=arguments.options, strategy=arguments.strategy, lock=not arguments.no_lock)
    if arguments.dry_run:
        start = init.prepare(wish, host, environ)
    else:
        start = init.write(wish, host, environ, say=console.say)
    sys.stdout.write(report.diff(start.outcome))
    for note in start.takeover.notes:
        console.say(note)
    report.tell(start.outcome, console, dry=arguments.dry_run)
    return EXIT_OK


def run_check(arguments: Arguments, console: Console, environ: Mapping[str, str]) -> int:
    """``torchsel check``: 0 in sync, 1 drift."""
    from torchsel.pipeline.check import check  # noqa: PLC0415 - start-up time
    from torchsel.pipeline.inputs import read_strategy, require_table  # noqa: PLC0415 - start-up time

    strategy = read_strategy(arguments.options, environ)
    require_table(strategy.setting.project)
    verdict = check(strategy)
    for note in verdict.notes:
        console.warn(note)
    for reason in verdict.drift:
        console.say(reason)
    if verdict.drift:
        console.say("run 'torchsel' to bring it in sync")
        return EXIT_DRIFT
    console.detail(f"in sync, routed to {', '.join(verdict.backends)}")
    hosts = arguments.hosts or ([arguments.host] if arguments.host else [])
    return _check_hosts(hosts, strategy, arguments.options)


def _check_hosts(files: Sequence[str], strategy: Strategy, options: Options) -> int:
    """Host by host, what each would get; drift where the commit has nothing for one."""
    from torchsel.config.request import read_host_file  # noqa: PLC0415 - start-up time
    from torchsel.pipeline.check import check_host  # noqa: PLC0415 - start-up time
    from torchsel.pipeline.inputs import decide  # noqa: PLC0415 - start-up time

    verdicts = []
    for file in files:
        host = read_host_file(Path(file), source="--host")
        verdicts.append(check_host(Path(file).stem, decide(strategy, host, options=options)))
        print(verdicts[-1].sentence)
    return EXIT_OK if all(verdict.is_served for verdict in verdicts) else EXIT_DRIFT


def run_backend(arguments: Arguments, console: Console, environ: Mapping[str, str]) -> int:
    """``torchsel backend``: the tag alone on standard output."""
    found = _inputs(arguments, console, environ)
    for warning in found.selection.warnings:
        console.warn(warning)
    print(found.decision.tag)
    return EXIT_OK


def run_status(arguments: Arguments, console: Console, environ: Mapping[str, str]) -> int:
    """``torchsel status``: the whole picture."""
    from dataclasses import replace  # noqa: PLC0415 - start-up time

    from torchsel.errors import MachineError  # noqa: PLC0415 - start-up time
    from torchsel.pipeline import status  # noqa: PLC0415 - start-up time
    from torchsel.pipeline import status_page as status_text  # noqa: PLC0415 - start-up time
    from torchsel.pipeline.inputs import read_inputs, with_warning  # noqa: PLC0415 - start-up time

    try:
        found = _inputs(arguments, console, environ)
    except MachineError as error:
        found = with_warning(read_inputs(replace(arguments.options, only_looks=True), environ), str(error))
    picture = status.take(found, environ)
    if arguments.json:
        print(status.to_json(picture))
    else:
        print(status_text.to_text(picture, lambda text, style: console.paint(text, style, sys.stdout)))
    return EXIT_OK


def run_detect(arguments: Arguments, console: Console, environ: Mapping[str, str]) -> int:
    """``torchsel detect``: the host, for people or as a recorded host."""
    from torchsel.config.request import resolve_host  # noqa: PLC0415 - start-up time
    from torchsel.pipeline import report  # noqa: PLC0415 - start-up time
    from torchsel.pipeline import status_page as status_text  # noqa: PLC0415 - start-up time

    host, findings = resolve_host(option=arguments.host, environ=environ)
    for finding in findings:
        console.detail(report.finding(finding))
    print(host.to_json() if arguments.json else "\n".join(status_text.host_lines(host)))
    return EXIT_OK


def run_env(arguments: Arguments, console: Console, environ: Mapping[str, str]) -> int:
    """``torchsel env``: the export line alone on standard output."""
    from torchsel.commands.env import advise, export  # noqa: PLC0415 - start-up time
    from torchsel.pipeline import report  # noqa: PLC0415 - start-up time

    found = _inputs(arguments, console, environ)
    report.warn(found, console)
    advice = advise(found, arguments.folder, environ)
    for notice in advice.notices:
        console.say(notice)
    if advice.value is not None:
        print(export(arguments.shell, advice.value))
    return EXIT_OK


def run_hook(arguments: Arguments, _console: Console, _environ: Mapping[str, str]) -> int:
    """``torchsel hook``: the shell function ``uv``."""
    from torchsel.shells import hook  # noqa: PLC0415 - start-up time

    sys.stdout.write(hook(arguments.shell))
    return EXIT_OK


def run_completion(arguments: Arguments, _console: Console, _environ: Mapping[str, str]) -> int:
    """``torchsel completion``: a completion script."""
    from torchsel.commands.completion import script  # noqa: PLC0415 - start-up time

    sys.stdout.write(script(arguments.parser, arguments.shell))
    return EXIT_OK


def run_schema(_arguments: Arguments, _console: Console, _environ: Mapping[str, str]) -> int:
    """``torchsel schema``: the JSON Schema."""
    from torchsel.config.schema import to_text  # noqa: PLC0415 - start-up time

    sys.stdout.write(to_text())
    return EXIT_OK


def run_uv(arguments: Arguments, console: Console, environ: Mapping[str, str]) -> int:
    """``torchsel uv ARGS``: apply where the routing matters, then become uv."""
    from torchsel.commands.uv import Wrapper  # noqa: PLC0415 - start-up time
    from torchsel.uv.call import read_uv_call  # noqa: PLC0415 - start-up time

    own = ("--project", arguments.project) if arguments.project else ()
    words = (*own, *arguments.uv_arguments)
    wrapper = Wrapper(
        call=read_uv_call(words, current_folder(), environ=environ),
        options=arguments.options,
        console=console,
        environ=environ,
        memo=arguments.memo,
    )
    return wrapper.run()


def _configured(arguments: Arguments, console: Console, environ: Mapping[str, str]) -> Inputs:
    from torchsel.pipeline.inputs import require_table  # noqa: PLC0415 - start-up time
    from torchsel.project.workspace import load_project  # noqa: PLC0415 - start-up time

    require_table(load_project(arguments.folder))
    return _inputs(arguments, console, environ)


def _inputs(arguments: Arguments, console: Console, environ: Mapping[str, str]) -> Inputs:
    from torchsel.pipeline import report  # noqa: PLC0415 - start-up time
    from torchsel.pipeline.inputs import read_inputs  # noqa: PLC0415 - start-up time

    found = read_inputs(arguments.options, environ)
    for finding in found.findings:
        console.detail(report.finding(finding))
    return found
