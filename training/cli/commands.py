"""What all commands share: options, mistakes in one sentence, verbs that are imported only when asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from igr_core.cli.shared import one_sentence

RunOption = Annotated[str | None, typer.Option(help="Run folder, instead of the config's.")]
DataOption = Annotated[str | None, typer.Option(help="Folder of what is trained on, instead of the config's.")]
HeldOutOption = Annotated[str | None, typer.Option(help="Folder of what is measured on, instead of the config's.")]
StepsOption = Annotated[int | None, typer.Option(min=1, help="Steps, instead of the config's.")]
KindOption = Annotated[str | None, typer.Option(help="drawn, rendered (from --records), or mixed.")]
RecordsOption = Annotated[
    str | None, typer.Option(help="Folder or URL of rendered records (python -m training data render).")
]
HeldOutRecordsOption = Annotated[
    str | None,
    typer.Option("--held-out-records", help="Measure on rendered photos: records of python -m training data held-out."),
]
RenderedShareOption = Annotated[
    float | None, typer.Option(min=0, max=1, help="Share of --kind mixed that is rendered; half if left out.")
]
DeviceOption = Annotated[str, typer.Option(help="auto (CUDA where there is one), cpu, cuda, cuda:1 …")]
Changes = Annotated[
    list[str] | None, typer.Option("--set", help="Entry over the file's, such as seed=1; may be repeated.")
]


class Commands(TyperGroup):
    """A group of commands in which a mistake that the user can mend ends in one sentence."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        with one_sentence():
            return super().invoke(ctx)


@dataclass(frozen=True)
class Verb:
    """One verb of the command line, and where it lies."""

    name: str
    """As it is typed."""
    module: str
    """Module of this package."""
    what: str
    """Name of its function, or of its Typer app."""
    summary: str
    """First sentence of its help."""
    panel: str
    """Heading that it is listed under."""

    def load(self) -> Any:
        """The command, its module imported."""
        found: typer.Typer | Callable[..., None] = getattr(import_module(f".{self.module}", __package__), self.what)
        app = found if isinstance(found, typer.Typer) else typer.Typer(add_completion=False)
        if app is not found:
            app.command(self.name)(found)
        return typer.main.get_command(app)


class LazyCommands(Commands):
    """A group that lists its verbs without importing what they need, which takes seconds."""

    verbs: ClassVar[tuple[Verb, ...]] = ()

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for verb in self.verbs:
            self.commands[verb.name] = TyperCommand(verb.name, help=verb.summary, rich_help_panel=verb.panel)

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the work, not of the alphabet."""
        return [verb.name for verb in self.verbs]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is asked for, imported now."""
        name, command, rest = super().resolve_command(ctx, args)
        verb = next((verb for verb in self.verbs if verb.name == name), None)
        return name, command if verb is None else verb.load(), rest
