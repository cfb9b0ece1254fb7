"""`walkaround model quantise`: a model's backbone in int8, for nodes without a GPU."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.model.options import Manifest
from cli.model.terminal import progress_bars
from core.model.artefact import open_artefact
from core.model.quantised import GRAPH_FILE
from core.training.dataset import of_split, read_samples
from core.training.evaluation import views_of
from core.training.quantisation import choose_evenly
from core.training.quantisation import quantise as write_graph


def quantise(
    model: Annotated[Path, typer.Argument(help="The model's folder; int8.xml, int8.bin and int8.json are put there.")],
    manifest: Manifest,
    photos: Annotated[int, typer.Option(min=1, help="How many photos of the train split to calibrate on.")] = 100,
) -> None:
    """Write the model's backbone in int8 beside it, calibrated on photos. WALKAROUND_PRECISION=int8 then runs it.

    Its answers differ from float32's, and so its verdicts belong to a model version of their own: measure them before
    it is used, `WALKAROUND_PRECISION=int8 walkaround model evaluate ...`. Needs walkaround[quantise].

    Example: `walkaround model quantise models/walkaround-resnet50 --manifest photos/manifest.csv`
    """
    artefact = open_artefact(model)
    chosen = choose_evenly(of_split(read_samples(manifest), "train"), photos)
    with progress_bars() as bars:
        task = bars.add_task("photos", total=len(chosen))
        views = [view for sample in bars.track(chosen, task_id=task) for view in views_of(sample, artefact.card)]
    card = write_graph(artefact, views, datetime.now(UTC))
    Console().print(f"{model / GRAPH_FILE} is calibrated on {card.views} views of {len(chosen)} photos", soft_wrap=True)
