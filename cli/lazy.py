"""A group of commands that imports a command's module when that command runs: `--help` and the others do without it.

The pattern is Click's (https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands), for Typer.
"""

import ast
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


def lazy_typer(table: Mapping[str, str], help: str, **options: Any) -> typer.Typer:
    """A Typer application of the commands in `table`, by name the function that runs it as `module:function`."""
    group = type("Commands", (LazyGroup,), {"table": table})
    application = typer.Typer(cls=group, help=help, no_args_is_help=True, **options)
    application.callback()(_no_options)
    return application


class LazyGroup(TyperGroup):
    """The commands of `table`, in its order, before those that were added to the application itself."""

    table: ClassVar[Mapping[str, str]]

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {**{name: TyperCommand(name) for name in self.table}, **self.commands}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command as lists of commands show it: with its help, not yet with its options."""
        command = super().get_command(ctx, cmd_name)
        if command is not None and cmd_name in self.table:
            command.help = _docstring(self.table[cmd_name])
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments name, its module imported now."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and name in self.table:
            command = _load(name, self.table[name])
        return name, command, rest


def _docstring(target: str) -> str | None:
    """The function's docstring as its source has it, without importing its module."""
    module, name = target.split(":")
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    functions = (node for node in ast.parse(Path(spec.origin).read_bytes()).body if isinstance(node, ast.FunctionDef))
    return next(ast.get_docstring(function) for function in functions if function.name == name)


def _load(name: str, target: str) -> Any:
    module, function = target.split(":")
    application = typer.Typer(rich_markup_mode="markdown", add_completion=False)
    application.command(name)(getattr(import_module(module), function))
    return get_command(application)


def _no_options() -> None:
    """What Typer wants of an application without commands of its own."""
