"""What the commands that decide on a machine begin with."""

from __future__ import annotations

from dataclasses import replace

from torchsel.commands.context import Context
from torchsel.errors import NoProjectError
from torchsel.pipeline.inputs import Inputs, read_inputs
from torchsel.project.folders import find_pyproject
from torchsel.strategies.setting import Options


def options(context: Context) -> Options:
    """What the survey takes of the command line."""
    given = context.arguments
    return Options(
        folder=context.start,
        environ=context.environ,
        backend=given.backend,
        host=next(iter(given.all_hosts), None),
        call=context.call if context.is_uvs else None,
        upgrade=given.upgrade,
        locks=not given.no_lock,
        anew=given.no_cache,
    )


def options_anywhere(context: Context) -> Options:
    """The same; in a folder without a project they ask what the machine would take in one."""
    found = options(context)
    try:
        find_pyproject(found.folder)
    except NoProjectError:
        return replace(found, without_project=True)
    return found


def surveyed(context: Context, given: Options | None = None) -> Inputs:
    """Project, machine and selection; ``-v`` tells what the probes found.

    Raises:
        ConfigError: a file, key, variable or option is wrong.
        MachineError: a file can't be read, or no build is usable with ``fallback = "error"``.
    """
    found = read_inputs(given or options(context))
    for finding in found.findings:
        context.draft.detail(finding.line)
    return found
