"""Code shared by all commands: options, one-sentence error messages, and subcommands that are imported on first use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from igr_core.cli.shared import explain_out_of_memory, one_sentence
from igr_core.errors import IGRError, UsageError
from igr_core.outputs import check_file, check_folder

from ..data.layouts.names import LayoutOnDisk

DataOption = Annotated[str | None, typer.Option(help="Folder of the training data; overrides the config.")]
HeldOutOption = Annotated[str | None, typer.Option(help="Folder of the held-out data; overrides the config.")]
StepsOption = Annotated[int | None, typer.Option(min=1, max=10_000_000, help="Number of steps; overrides the config.")]
KindOption = Annotated[
    Literal["drawn", "rendered", "mixed"] | None,
    typer.Option(help="Type of pairs or photos; rendered ones need --records."),
]
RecordsOption = Annotated[
    str | None, typer.Option(help="Folder or URL of rendered records, as written by `python -m training data render`.")
]
HeldOutRecordsOption = Annotated[
    str | None,
    typer.Option(
        "--held-out-records", help="Held-out records to measure on, as written by `python -m training data held-out`."
    ),
]
RenderedShareOption = Annotated[
    float | None, typer.Option(min=0, max=1, help="Fraction of rendered photos for --kind mixed; half by default.")
]
DeviceOption = Annotated[str, typer.Option(help="auto (CUDA if available), cpu, cuda, cuda:1 …")]
PrecisionOption = Annotated[Literal["fp32", "fp16", "bf16"], typer.Option(help="Data type of the weights.")]
ViewOption = Annotated[
    Literal["whole", "focused"],
    typer.Option(help="The whole photo (as in the paper), or the garment and its surroundings."),
]


def subfolders(root: str) -> list[Path]:
    """The folders of a local data set, which contain its images; none for a URL or a pattern."""
    folder = Path(root)
    return [path for path in folder.iterdir() if path.is_dir()] if "://" not in root and folder.is_dir() else []


def size_option(option: str, text: str) -> tuple[int, int]:
    """Width and height in pixels, from the text of an option; raises UsageError naming the option."""
    from igr_core.photo.inputs import parse_size

    try:
        return parse_size(text, 1)
    except IGRError as error:
        # omit the suggested size, because some commands would reject its aspect ratio
        reason = str(error).removeprefix("Size ").partition("; the nearest is")[0]
        raise UsageError(f"{option} {reason.rstrip('.')}.") from error


LayoutOption = Annotated[Literal["auto", LayoutOnDisk], typer.Option(help="Layout of the data set.")]
MaskOption = Annotated[
    Literal["auto", "agnostic", "garment", "file"],
    typer.Option(help="Mask of each pair; garment derives it from the parsing map."),
]


def out_file(path: Path | None) -> Path | None:
    """Callback of options for files to write; raises CannotWrite before the command starts."""
    return path if path is None else check_file(path, "The output")


def picture_file(*suffixes: str) -> Callable[[Path | None], Path | None]:
    """Callback of options for images that are always written in one format, or in the format of the suffix.

    Raises CannotWrite as out_file does, and UsageError for a name without one of the `suffixes`.
    """

    def check(path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() not in suffixes:
            raise UsageError(f"{path} has the wrong extension for this image: use {' or '.join(suffixes)}.")
        return out_file(path)

    return check


PNG, JPEG = picture_file(".png"), picture_file(".jpg", ".jpeg")


def out_folder(path: Path | str | None) -> Path | str | None:
    """Callback of options for folders to write to, which may be URLs; raises CannotWrite before the command starts."""
    if path is not None and "://" not in str(path):
        check_folder(Path(path), "The output folder")
    return path


RunOption = Annotated[str | None, typer.Option(help="Run folder; overrides the config.", callback=out_folder)]
Split = Literal["train", "test"]
Changes = Annotated[
    list[str] | None, typer.Option("--set", help="Override an entry of the file, such as seed=1; may be repeated.")
]


class Commands(TyperGroup):
    """A command group that reports user errors in one sentence."""

    def invoke(self, ctx: Any) -> Any:
        """Run the requested command."""
        with one_sentence(), explain_out_of_memory("use smaller batches or images, or fewer workers"):
            return super().invoke(ctx)


@dataclass(frozen=True)
class Verb:
    """A subcommand and the location of its implementation."""

    name: str
    """Name of the subcommand, as typed."""
    module: str
    """Module in this package that implements it."""
    what: str
    """Name of the function, or of the Typer app."""
    summary: str
    """First sentence of the help."""
    panel: str
    """Heading under which the subcommand is listed."""

    def load(self) -> Any:
        """Import the module and return the command."""
        found: typer.Typer | Callable[..., None] = getattr(import_module(f".{self.module}", __package__), self.what)
        app = found if isinstance(found, typer.Typer) else typer.Typer(add_completion=False)
        if app is not found:
            app.command(self.name)(found)
        return typer.main.get_command(app)


class LazyCommands(Commands):
    """A command group that lists its subcommands without importing their modules, because importing takes seconds."""

    verbs: ClassVar[tuple[Verb, ...]] = ()

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for verb in self.verbs:
            self.commands[verb.name] = TyperCommand(verb.name, help=verb.summary, rich_help_panel=verb.panel)

    def list_commands(self, ctx: Any) -> list[str]:
        """List the subcommands in the order of use instead of alphabetically."""
        return [verb.name for verb in self.verbs]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import and return the requested command."""
        name, command, rest = super().resolve_command(ctx, args)
        verb = next((verb for verb in self.verbs if verb.name == name), None)
        return name, command if verb is None else verb.load(), rest
