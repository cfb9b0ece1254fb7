"""`walkaround model train-outlines`: teach a trained model where the damage is, from outlined photos."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.model.options import open_addressed
from cli.model.terminal import progress_bars
from cli.model.training import figures_table, progress_reporter
from core.errors import ModelUnusable
from core.model.artefact import verified_bytes
from core.model.card import Description
from core.model.folding import read_network
from core.training.gathering import gather
from core.training.outline_assembly import Judges, assemble_outlined
from core.training.outline_recipe import OutlineRecipe
from core.training.outline_training import train_branch

Paths = list[Path]


def train_outlines(
    manifest: Annotated[Paths, typer.Option("--manifest", help="A CSV manifest; give as many as there are.")],
    outlines: Annotated[
        Paths, typer.Option("--outlines", help="A file of outlines or of boxes; as many as there are.")
    ],
    out: Annotated[Path, typer.Option(help="The artefact's folder; must not exist yet.")],
    model: Annotated[str | None, typer.Option(help="The trained model that gets the branch; WALKAROUND_MODEL.")] = None,
    judge: Annotated[
        Paths | None, typer.Option("--judge", help="A manifest of photos as in the field: never learnt from, decides.")
    ] = None,
    workspace: Annotated[
        Path | None, typer.Option(help="Stages on disk and checkpoints; by default beside OUT. Run again to go on.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
    views: Annotated[int | None, typer.Option(min=16, help="Views to learn from.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of training.")] = None,
) -> None:
    """Add the branch that outlines damage to a trained model. A killed run goes on where it stopped when started again.

    The network itself stays as it is. Validation photos and those of --judge decide how head and map make one
    probability; test photos are measured once and decide nothing.
    Example: `walkaround model train-outlines --manifest dev/manifest.csv --outlines seg/masks.json --out build/new`
    """
    if out.exists():
        raise ModelUnusable(f"{out} exists already and artefacts are never overwritten; choose another folder")
    base, gathered, console = open_addressed(model), gather(manifest, outlines), Console()
    changed = {name: value for name, value in (("views", views), ("steps", steps)) if value}
    recipe = replace(OutlineRecipe(seed=seed), **changed)
    network = read_network(verified_bytes(base), str(base.weights_path))
    training = gathered.of_split("train")
    judges = _judges(manifest, outlines, judge or [])
    with progress_bars() as bars:
        branch = train_branch(
            network,
            training,
            gathered.outlines,
            base.card.input.size,
            recipe,
            workspace or out.with_name(f"{out.name}-workspace"),
            progress_reporter(bars),
            lambda warning: console.print(warning, style="yellow"),
        )
        task = bars.add_task("measuring", total=sum(map(len, judges.sets.values())))
        described = Description(**{name: getattr(base.card, name) for name in Description.model_fields})
        described = described.model_copy(update={"created_at": datetime.now(UTC)})
        artefact = assemble_outlined(
            base, branch, training, judges, recipe, out, described, lambda done: bars.advance(task, done)
        )
    console.print(figures_table(artefact.card.metrics))
    console.print(f"written to {out} (seed {seed}); fit its policy with `walkaround model fit`")


def _judges(manifests: Sequence[Path], outlines: Sequence[Path], judging: Sequence[Path]) -> Judges:
    """Validation and test photos of the manifests, those that only outlines name, and those that only judge."""
    gathered, labelled = gather(manifests, outlines), gather(manifests, [])
    names = {sample.name for sample in labelled.samples}
    sets = {}
    for split in ("val", "test"):
        outlined = [sample for sample in gathered.of_split(split) if sample.name not in names]
        sets[split] = {split: labelled.of_split(split), f"outlined {split}": outlined}
    sets["val"] |= {path.parent.resolve().name: list(gather([path], []).samples) for path in judging}
    fitted, tested = ({name: part for name, part in sets[split].items() if part} for split in ("val", "test"))
    return Judges(fitted, tested, gathered.outlines)
