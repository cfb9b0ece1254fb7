"""`walkaround model info | verify`: what a model is, and whether it is whole."""

import json
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from cli.model.options import AsJson, ModelAddress, open_addressed
from cli.model.tables import card_table, metrics_table, training_table
from cli.model.terminal import confirm
from core.model.artefact import Artefact
from core.model.inference import BatchingClassifier
from core.settings import load_settings


def info(model: ModelAddress = None, as_json: AsJson = False) -> None:
    """Show a model's card: what it is, what it was trained on, how good it is.

    Examples: `walkaround model info` · `walkaround model info s3://fleet-models/registry --json`
    """
    card = open_addressed(model).card
    if as_json:
        typer.echo(card.to_json(), nl=False)
        return
    console = Console()
    console.print(card_table(card))
    if card.training:
        console.print(training_table(card))
    if card.metrics:
        console.print(metrics_table(card))


def verify(
    model: ModelAddress = None,
    run: Annotated[
        bool, typer.Option("--run", help="Also load it and score a photo of noise (takes seconds).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a model's files against its card, and with --run that it computes. Exit code 1 where it does not.

    Examples: `walkaround model verify models/walkaround-resnet50` · `walkaround model verify --run`
    """
    artefact = open_addressed(model)
    result: dict[str, Any] = {
        "name": artefact.card.name,
        "folder": str(artefact.folder),
        "weights_sha256": artefact.card.weights_sha256,
        "parameters": artefact.card.parameters,
    }
    if run:
        result["noise_probability"] = _score_noise(artefact)
    if as_json:
        typer.echo(json.dumps(result))
        return
    confirm(f"{artefact.card.name} in {artefact.folder} matches its card")
    if run:
        confirm(f"it computes, and its heat map adds up (noise scores {result['noise_probability']:.3f})")


def _score_noise(artefact: Artefact) -> float:
    """The probability of damage that the model gives to seeded noise."""
    settings = load_settings()
    classifier = BatchingClassifier(artefact, precision=settings.precision)
    plan = classifier.plan
    noise = np.random.default_rng(0).integers(0, 256, (plan.count, plan.size, plan.size, 3), dtype=np.uint8)
    try:
        return classifier.classify([noise])[0].probability
    finally:
        classifier.close()
