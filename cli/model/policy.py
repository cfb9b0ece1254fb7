"""`walkaround model policy | fit`: the rule that photos make a verdict by, and where its figures come from."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.model.options import AsJson, Manifest, ModelAddress, open_addressed
from cli.model.terminal import progress_bars
from core.errors import DatasetInvalid
from core.model.artefact import open_artefact, write_card
from core.policy import Policy
from core.settings import load_settings
from core.training.dataset import read_samples
from core.training.fitting import Rates, run_model
from core.training.fitting import fit as fit_rule
from workers.bootstrap import policy_of

Rate = Annotated[float, typer.Option(min=0.0, max=1.0)]


def policy(model: ModelAddress = None) -> None:
    """Print the policy that verdicts of this model are made by, as the JSON that WALKAROUND_POLICY takes.

    Example: `walkaround model policy > policy.json`, then edit it and set `WALKAROUND_POLICY=policy.json`
    """
    typer.echo(policy_of(load_settings(), open_addressed(model).card).model_dump_json(indent=2))


def fit(
    model: Annotated[Path, typer.Argument(help="The model's folder; its card is rewritten.")],
    manifest: Manifest,
    split: Annotated[
        str, typer.Option(help="The photos to learn from; never those the weights were trained on.")
    ] = "val",
    view: Annotated[
        str, typer.Option(help="Intact photos of this view are what false alarms are counted on; or all.")
    ] = "part",
    judge: Annotated[
        list[Path] | None,
        typer.Option("--judge", help="A manifest of photos as in the field: all of its photos count, of any view."),
    ] = None,
    damaged_rate: Rate = 0.05,
    undecided_rate: Rate = 0.5,
    audit_share: Rate = 0.05,
    as_json: AsJson = False,
) -> None:
    """Fit the policy of a model on labelled photos, and write it into the model's card.

    Of intact returns, DAMAGED_RATE will be called damaged and UNDECIDED_RATE not clear, whatever their number of
    photos; AUDIT_SHARE of the clear ones are looked at by people all the same.

    Example: `walkaround model fit models/walkaround-resnet50 --manifest photos/manifest.csv`
    """
    artefact = open_artefact(model)
    samples = [sample for sample in read_samples(manifest) if sample.split == split]
    if not samples:
        raise DatasetInvalid(f"{manifest} has no photos of split {split!r}; name another with --split")
    samples += [replace(sample, view=view) for path in judge or [] for sample in read_samples(path)]
    with progress_bars() as bars:
        task = bars.add_task("photos", total=len(samples))
        outputs = run_model(artefact, samples, lambda done: bars.advance(task, done))
    fitted = fit_rule(artefact.card, samples, outputs, Rates(damaged_rate, undecided_rate, audit_share), view)
    write_card(artefact, artefact.card.model_copy(update={"fitted": fitted}))
    if as_json:
        typer.echo(fitted.model_dump_json(exclude={"vehicle"}))
        return
    _say(fitted.policy, fitted.intact)


def _say(fitted: Policy, intact: int) -> None:
    console = Console()
    console.print(
        f"fitted on {intact} intact photos; one photo alone makes a return damaged, or keeps it from being clear, from"
    )
    for photos in (1, 4, 9, 20, 40):
        damaged, clear = fitted.damaged_at_rank(1, photos), fitted.clear_below_rank(1, photos)
        console.print(f"  {photos:3} photos: {damaged:.4f}, {clear:.4f}")
