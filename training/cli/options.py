"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

RunOption = Annotated[str | None, typer.Option(help="Run folder, instead of the config's.")]
DataOption = Annotated[str | None, typer.Option(help="Folder of what is trained on, instead of the config's.")]
HeldOutOption = Annotated[str | None, typer.Option(help="Folder of what is measured on, instead of the config's.")]
StepsOption = Annotated[int | None, typer.Option(min=1, help="Steps, instead of the config's.")]
DeviceOption = Annotated[str, typer.Option(help="auto (CUDA where there is one), cpu, cuda, cuda:1 …")]
Changes = Annotated[
    list[str] | None, typer.Option("--set", help="Entry over the file's, such as seed=1; may be repeated.")
]
