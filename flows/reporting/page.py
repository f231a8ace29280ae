"""``report.html``: one file that holds everything it shows and asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment
from markupsafe import Markup
from PIL import Image

from flows.reporting import formatting, views
from hls_projects.targets import Target
from hls_projects.templates import environment

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, eq=False)
class WrongImage:
    """An image that the model gets wrong.

    Args:
        index: among the images of the build.
        image: uint8 (H, W, 3).
        label, predicted: class indices.
        margin: logit of ``predicted`` less that of ``label``, in real units.
    """

    index: int
    image: np.ndarray
    label: int
    predicted: int
    margin: float

    def data_uri(self) -> str:
        """The image as PNG, for the ``src`` of an image."""
        stream = io.BytesIO()
        Image.fromarray(self.image).save(stream, format="PNG")
        return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def wrong_images(
    images: np.ndarray, labels: np.ndarray | None, logits: np.ndarray, count: int = 12
) -> list[WrongImage]:
    """The ``count`` images whose wrong class is ahead the most, the worst first; none without labels.

    Args:
        images: uint8 (N, H, W, 3). labels: (N,) class indices. logits: (N, classes).
    """
    if labels is None:
        return []
    predicted = logits.argmax(axis=1)
    rows = np.arange(len(labels))
    margin = logits[rows, predicted] - logits[rows, labels]
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-margin[wrong], kind="stable")][:count]
    return [WrongImage(int(i), images[i], int(labels[i]), int(predicted[i]), round(float(margin[i]), 4)) for i in worst]


def render_report(
    report: dict[str, Any], images: Sequence[WrongImage] | None = None, target: Target | None = None
) -> str:
    """The page of a report that :func:`flows.reporting.schema.check_report` accepts.

    Args:
        images: from :func:`wrong_images`, where the user asked for them; the page says so
            where none is given, or where there are none.
        target: the board; without it the shipped one of the report's name.

    Returns:
        HTML. The same report, images and target give the same text.
    """
    return render(
        "report.html.j2",
        report=report,
        verdict=views.verdict(report),
        headline_accuracy=views.headline_accuracy(report),
        exactness=views.exactness(report),
        accuracy=views.accuracy(report),
        fit=views.fit(report, target),
        speed=views.speed(report),
        widths=views.widths(report),
        images=images,
    )


def render(template: str, **context: Any) -> str:
    """One of the pages in ``templates``, with the style and the script that they share."""
    return _environment().get_template(template).render(context)


@cache
def _environment() -> Environment:
    made = environment(TEMPLATES, html=True)
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "theme.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    made.filters |= formatting.FILTERS
    # Both are files of this package, nothing of a report.
    made.globals |= {"style": Markup(style), "script": Markup(script), "script_hash": digest}
    return made
