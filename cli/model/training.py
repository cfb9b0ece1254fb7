"""`walkaround model data | train | evaluate`: from labelled photos to a model, and what it is worth."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from cli.model.options import AsJson, Manifest, ModelAddress, open_addressed
from cli.model.terminal import progress_bars
from core.errors import DatasetInvalid, ModelUnusable
from core.model.artefact import Artefact
from core.model.card import InputSpec, MetricSet
from core.model.network import download_base
from core.settings import load_settings
from core.training.assembly import assemble
from core.training.dataset import read_samples
from core.training.evaluation import as_json as evaluation_json
from core.training.evaluation import evaluate as judge
from core.training.evaluation import score_samples
from core.training.evaluation_page import render_page
from core.training.leakage import DatasetReport, check_dataset
from core.training.outline_assembly import map_photos
from core.training.outlines import read_outlined_samples, read_regions
from core.training.plots import dataset_plots, training_curves
from core.training.pointing import pointing_shares, read_outlined
from core.training.recipe import Recipe
from core.training.segmentation import Agreement, agreements
from core.training.train import train as run_training


def data(
    manifest: Manifest,
    plot: Annotated[Path | None, typer.Option(help="Write a picture (PNG) of the data here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check labelled photos: missing, unreadable, copies across splits; what else than damage tells the label.

    Exit code 1 where something must be repaired. Example: `walkaround model data --manifest photos/manifest.csv`
    """
    samples = read_samples(manifest)
    with progress_bars() as bars:
        task = bars.add_task("photos", total=len(samples))
        report = check_dataset(samples, lambda: bars.advance(task))
    if plot:
        plot.write_bytes(dataset_plots(samples, report.giveaways))
    if as_json:
        giveaways = {found.name: {"accuracy": found.accuracy, "majority": found.majority} for found in report.giveaways}
        typer.echo(json.dumps({"photos": report.photos, "problems": report.problems, "giveaways": giveaways}, indent=2))
    else:
        _print_report(report)
    if report.problems:
        raise typer.Exit(1)


def train(  # noqa: PLR0913, PLR0917  (each is an option of the command)
    manifest: Manifest,
    out: Annotated[Path, typer.Option(help="The artefact's folder; must not exist yet.")],
    base: Annotated[
        Path | None, typer.Option(help="ImageNet weights of the backbone (.weights.h5); Keras' own download if absent.")
    ] = None,
    workspace: Annotated[
        Path | None, typer.Option(help="Cached features and checkpoints; by default beside OUT. Run again to go on.")
    ] = None,
    name: Annotated[str, typer.Option(help="The model's name, which its card carries.")] = "walkaround-resnet50",
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of the second phase.")] = None,
    size: Annotated[int, typer.Option(min=32, max=1024, help="Input size in pixels.")] = 448,
    tiles: Annotated[int, typer.Option(min=0, max=8, help="Look at N x N tiles too; 0: the whole photo only.")] = 0,
    flip: Annotated[bool, typer.Option(help="Look at each view mirrored too: twice the cost.")] = False,
    check: Annotated[bool, typer.Option(help="Refuse data that `model data` finds fault with.")] = True,
) -> None:
    """Train a model and write its artefact. A killed run goes on where it stopped when started again.

    Example: `walkaround model train --manifest photos/manifest.csv --out build/model-2 --seed 1`
    """
    if out.exists():
        raise ModelUnusable(f"{out} exists already and artefacts are never overwritten; choose another folder")
    workspace = workspace or out.with_name(f"{out.name}-workspace")
    samples = read_samples(manifest)
    recipe = replace(Recipe(), seed=seed, input_size=size, tiles=tiles, **({"epochs": epochs} if epochs else {}))
    with progress_bars() as bars:
        if check:
            task = bars.add_task("checking photos", total=len(samples))
            check_dataset(samples, lambda: bars.advance(task)).require_sound()
        base = base or download_base(workspace / "base.weights.h5")
        trained = run_training(samples, recipe, workspace, base, progress_reporter(bars))
        judged = [sample for sample in samples if sample.split != "train"]
        task = bars.add_task("measuring", total=len(judged))
        inputs = InputSpec(size=size, tiles=tiles, flip=flip)
        artefact = assemble(
            trained.network, samples, recipe, inputs, out, name, datetime.now(UTC), lambda n: bars.advance(task, n)
        )
    curves = workspace / "curves.png"
    curves.write_bytes(training_curves(trained.epochs, trained.best))
    console = Console()
    console.print(figures_table({split: artefact.card.metrics[split] for split in ("val", "test")}))
    console.print(f"epoch {trained.best} of {recipe.epochs} was best on validation; curves: {curves}")
    console.print(f"written to {out} (seed {seed}); share it with `walkaround model publish`")


def evaluate(
    manifest: Manifest,
    model: ModelAddress = None,
    split: Annotated[str | None, typer.Option(help="Only the photos of this split: train, val or test.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write the evaluation as one HTML page here.")] = None,
    outlines: Annotated[
        Path | None,
        typer.Option(
            help="A masks.json: also measure whether heat maps point at the damage, and the model's outlines."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge a model on labelled photos: figures with 95 % intervals, overall, per source, per view, per photo set.

    Photo sets are judged where the manifest has a column set_id. WALKAROUND_PRECISION says in which arithmetic.
    Example: `walkaround model evaluate --manifest photos/manifest.csv --split test --page out.html`
    """
    samples = [sample for sample in read_samples(manifest) if split in (None, sample.split)]
    if not samples:
        raise DatasetInvalid(f"{manifest} has no photos of the split {split!r}; choose train, val or test")
    artefact = open_addressed(model)
    with progress_bars() as bars:
        task = bars.add_task("photos", total=len(samples))
        settings = load_settings()
        scores = score_samples(artefact, samples, lambda done: bars.advance(task, done), settings.precision)
    probability = np.array([score.probability for score in scores])
    evaluation = judge(artefact.card, samples, probability, sets=_has_sets(manifest))
    if page:
        page.write_text(render_page(evaluation, scores), encoding="utf-8")
    pointing, agreement = _judge_outlines(artefact, outlines, split) if outlines else ({}, {})
    if as_json:
        said = {"pointing": pointing, "outlines": {group: asdict(figures) for group, figures in agreement.items()}}
        judged = {name: value for name, value in said.items() if value}
        typer.echo(json.dumps({**evaluation_json(evaluation), **judged}, indent=2))
        return
    console = Console()
    console.print(figures_table({"all photos": evaluation.overall, **evaluation.by_source, **evaluation.by_view}))
    for sets in evaluation.sets:
        console.print(
            f"sets at {sets.threshold:.3f}: {sets.found} of {sets.damaged} damaged found, "
            f"{sets.false_alarms} of {sets.intact} intact called damaged"
        )
    for what, share in pointing.items():
        console.print(f"pointing, {what}: {share:.3f}")
    if agreement:
        console.print(_agreement_table(agreement))


def _judge_outlines(artefact: Artefact, path: Path, split: str | None) -> tuple[dict[str, float], dict[str, Agreement]]:
    """How well the heat map points at outlined damage, and how well the map of the branch agrees where there is one."""
    samples = [sample for sample in read_outlined_samples(path) if split in (None, sample.split)]
    names = {sample.name for sample in samples}
    pointing = pointing_shares(artefact, [item for item in read_outlined(path) if item.sample.name in names])
    if artefact.card.outlines is None:
        return pointing, {}
    return pointing, agreements(samples, map_photos(artefact, samples).damage, read_regions(path))


def _agreement_table(agreement: dict[str, Agreement]) -> Table:
    columns = ("photos", "per_photo", "pooled", "pointing", "centre")
    table = Table(
        "outlined photos", *columns, caption="overlap per photo and pooled; highest cell on damage, middle too"
    )
    for group, figures in agreement.items():
        table.add_row(group, str(figures.photos), *(f"{getattr(figures, name):.3f}" for name in columns[1:]))
    return table


def progress_reporter(bars: Progress) -> Callable[[str, int, int], object]:
    """What a training run reports to: a bar for each of its phases."""
    tasks: dict[str, TaskID] = {}

    def report(phase: str, done: int, total: int) -> None:
        if phase not in tasks:
            tasks[phase] = bars.add_task(phase, total=total)
        bars.update(tasks[phase], completed=done)

    return report


def _has_sets(manifest: Path) -> bool:
    if manifest.is_dir():
        return False
    with manifest.open(encoding="utf-8") as file:
        return "set_id" in file.readline().strip().split(",")


def _print_report(report: DatasetReport) -> None:
    console = Console()
    table = Table(title=f"What predicts the label, {report.photos} photos (damage should, these should not)")
    for column in ("from", "accuracy", "majority"):
        table.add_column(column)
    for giveaway in report.giveaways:
        table.add_row(giveaway.name, f"{giveaway.accuracy:.3f}", f"{giveaway.majority:.3f}")
    console.print(table)
    for problem in report.problems:
        console.print(problem, markup=False, style="red")
    console.print(f"{len(report.problems)} problem(s)")


def figures_table(groups: dict[str, MetricSet]) -> Table:
    """Figures of named sets of photos, with intervals."""
    names = (
        "accuracy",
        "recall",
        "specificity",
        "auroc",
        "recall_at_specificity_90",
        "loss",
        "expected_calibration_error",
    )
    table = Table("", "photos", *names, caption="95 % intervals from 1,000 resamples of the photos")
    for group, figures in groups.items():
        cells = []
        for name in names:
            figure = figures.measures.get(name)  # type: ignore[call-overload]
            cells.append(f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})" if figure else "–")
        table.add_row(group, str(figures.photos), *cells)
    return table
