"""Bases on a page that tell their scores under the pointer."""

from collections.abc import Sequence
from importlib.resources import files

import numpy as np

from dnabert_hf.interpretation.attribution.attention_heads import HeadScores
from dnabert_hf.interpretation.pages.page import Page

__all__ = ["add_base_explorer"]


def add_base_explorer(page: Page, explained: Sequence[HeadScores]) -> None:
    """Add sequences whose bases tell position, score and heads under the pointer.

    Args:
        page: Page to add to.
        explained: From `head_scores`.
    """
    templates = files("dnabert_hf.interpretation") / "templates"
    page.widget(
        "Scores base by base",
        script=(templates / "bases.js").read_text(encoding="utf-8"),
        style=(templates / "bases.css").read_text(encoding="utf-8"),
        data=[
            {
                "title": each.id,
                "sequence": each.sequence,
                "scores": np.round(each.scores.sum(axis=0).astype(float), 5).tolist(),
                "heads": np.round(each.scores.astype(float), 5).tolist(),
            }
            for each in explained
        ],
        fallback="This part needs scripts; scores.parquet holds the same scores.",
    )
