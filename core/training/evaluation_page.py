"""The evaluation as one HTML page that needs nothing else: figures with intervals, plots, the worst mistakes."""

import base64
from collections.abc import Sequence
from typing import get_args

from jinja2 import Environment
from markupsafe import Markup

from core.domain import Score, ViewPlan
from core.model.card import MeasureName
from core.photos.decode import min_side_for
from core.photos.derivative import overlay, thumbnail
from core.training.dataset import Sample
from core.training.evaluation import Evaluation
from core.training.plots import evaluation_plots

MISTAKES = 24
_TITLES = {"expected_calibration_error": "calibration error", "auroc": "AUROC"}


def render_page(evaluation: Evaluation, scores: Sequence[Score]) -> str:
    """The page; `scores` in the order of the evaluation's samples, for the heat maps of the gallery."""
    plots = {title: _embedded(png, "png") for title, png in evaluation_plots(evaluation).items()}
    tables = {
        "Overall": {"all photos": evaluation.overall},
        "By source": evaluation.by_source,
        "By view": evaluation.by_view,
    }
    mistakes = [_mistake(evaluation, index, scores[index]) for index in evaluation.worst(MISTAKES)]
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_PAGE).render(
        card=evaluation.card,
        tables=tables,
        measures=[(name, _TITLES.get(name, name)) for name in get_args(MeasureName)],
        sets=evaluation.sets,
        plots=plots,
        mistakes=mistakes,
        count=len(evaluation.samples),
    )


def _mistake(evaluation: Evaluation, index: int, score: Score) -> dict[str, object]:
    sample: Sample = evaluation.samples[index]
    pixels = sample.pixels(min_side_for(ViewPlan()))
    return {
        "photo": _embedded(thumbnail(pixels, 240), "jpeg"),
        "overlay": _embedded(overlay(pixels, score.heatmap, 240), "jpeg"),
        "label": "damaged" if sample.damaged else "intact",
        "probability": float(evaluation.probability[index]),
        "name": sample.name,
        "source": sample.source,
    }


def _embedded(content: bytes, kind: str) -> Markup:
    return Markup(f"data:image/{kind};base64,{base64.b64encode(content).decode()}")  # noqa: S704  (base64 needs no escaping)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ card.name }}: evaluation</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #22303c; max-width: 1100px; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 0 0 2rem; width: 100% }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #d9dee3; font-variant-numeric: tabular-nums }
th:first-child, td:first-child { text-align: left }
small { font-size: 13px; color: #5b6b78 } td small { white-space: nowrap }
h1, td:first-child, figcaption { overflow-wrap: anywhere } td:first-child { min-width: 7rem }
.scroll { overflow-x: auto }
.plots, .gallery { display: flex; flex-wrap: wrap; gap: 1rem }
figure { margin: 0; max-width: 100% } .plots img { max-width: 100% }
.gallery figure { width: 250px } .gallery img { width: 49% } figcaption { font-size: 13px }
</style></head><body>
<h1>{{ card.name }}</h1>
<p>{{ count }} photos, judged at a probability of {{ "%.3f" | format(card.thresholds.photo) }}.
Weights {{ card.weights_sha256[:12] }}. In brackets: 95 % intervals from 1,000 resamples of the photos.</p>
{% for title, groups in tables.items() %}
<h2>{{ title }}</h2>
<div class="scroll" tabindex="0" role="group" aria-label="{{ title }}">
<table><tr><th></th><th>photos</th><th>damaged</th>{% for _, name in measures %}<th>{{ name }}</th>{% endfor %}</tr>
{% for group, figures in groups.items() %}
<tr><td>{{ group }}</td><td>{{ figures.photos }}</td><td>{{ figures.damaged }}</td>
{% for key, _ in measures %}
<td>{% if key in figures.measures %}{% set figure = figures.measures[key] %}{{ "%.3f" | format(figure.value) }}<br>
<small>({{ "%.3f" | format(figure.low) }} to {{ "%.3f" | format(figure.high) }})</small>{% else %}–{% endif %}</td>
{% endfor %}</tr>
{% endfor %}</table></div>
{% endfor %}
{% if sets %}
<h2>Photo sets</h2>
<div class="scroll" tabindex="0" role="group" aria-label="Photo sets">
<table><tr><th>threshold</th><th>damaged sets found</th><th>false alarms in intact sets</th></tr>
{% for figures in sets %}
<tr><td>{{ "%.3f" | format(figures.threshold) }}</td><td>{{ figures.found }} of {{ figures.damaged }}</td>
<td>{{ figures.false_alarms }} of {{ figures.intact }}</td></tr>
{% endfor %}</table></div>
{% endif %}
<h2>Plots</h2>
<div class="plots">{% for title, png in plots.items() %}
<figure><img src="{{ png }}" alt="{{ title }}"><figcaption>{{ title }}</figcaption></figure>{% endfor %}</div>
<h2>The worst mistakes</h2>
<p>Beside each photo the evidence for damage. A few labels are wrong: these are where to look for them.</p>
<div class="gallery">{% for mistake in mistakes %}
<figure><img src="{{ mistake.photo }}" alt=""><img src="{{ mistake.overlay }}" alt="evidence for damage">
<figcaption>{{ mistake.label }}, said {{ "%.3f" | format(mistake.probability) }}<br>
<small>{{ mistake.name }} · {{ mistake.source }}</small></figcaption></figure>{% endfor %}</div>
</body></html>
"""
