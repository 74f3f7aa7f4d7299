"""Counts of the alleles that were scored and those that were not, and what is said of them."""

import logging
from collections.abc import Mapping
from pathlib import Path

from dnabert_hf.files.counts import counted, counted_reasons

__all__ = [
    "LINES",
    "NORMAL_FORM",
    "PARTLY",
    "SCORED",
    "UNRANKED",
    "check_any_scored",
    "report_tally",
]

logger = logging.getLogger(__name__)

SCORED = "scored"
LINES = "lines"
PARTLY = "partly"
NORMAL_FORM = "normalized"  # alleles that were written otherwise
UNRANKED = "unranked"
_NO_REASONS = (LINES, SCORED, PARTLY, NORMAL_FORM, UNRANKED)


def check_any_scored(tally: Mapping[str, int], variants: str | Path) -> None:
    """Refuse a file of variants none of which could be scored.

    Args:
        tally: Numbers of lines, alleles scored, and alleles not scored by reason.
        variants: Name of the file.

    Raises:
        ValueError: If there are lines, but no allele was scored; the message has the reasons.

    Example:
        >>> check_any_scored({"lines": 2, "scored": 1, "ALT is the same as REF": 1}, "in.vcf")
    """
    if not tally.get(LINES) or tally.get(SCORED):
        return
    reasons = _reasons(tally)
    raise ValueError(
        f"{variants} must hold alleles that can be scored, scored 0 of {sum(reasons.values())}: "
        f"{counted_reasons(reasons)}; correct the file, or go on in spite of that to have the "
        "reason of each (--force)"
    )


def report_tally(
    tally: Mapping[str, int], variants: str | Path, *, is_silent: bool
) -> tuple[int, int, dict[str, int]]:
    """Say what was not scored, and give the numbers of records and alleles, and the reasons.

    Args:
        tally: As in `check_any_scored`.
        variants: Name of the file.
        is_silent: Whether another process says it.
    """
    skipped = _reasons(tally)
    n_records, n_scored, n_partly = (tally.get(key, 0) for key in (LINES, SCORED, PARTLY))
    if is_silent:
        return n_records, n_scored, skipped
    if not n_records:
        logger.warning("%s: there are no variants in the file", variants)
    if skipped:
        logger.warning("%s: not scored: %s", variants, counted_reasons(skipped))
    if n_partly:
        logger.warning(
            "%s: %d alleles have no log-likelihood ratio, which is of single bases with k bases or "
            "more on either side",
            variants,
            n_partly,
        )
    if tally.get(NORMAL_FORM):
        logger.warning(
            "%s: %s not left-aligned and parsimonious as written: scored in the normal form that "
            "the result names",
            *(variants, counted(tally[NORMAL_FORM], "allele")),
        )
    if tally.get(UNRANKED):
        logger.warning(
            "%s: %s without a percentile, which is of single bases within a contig",
            *(variants, counted(tally[UNRANKED], "allele")),
        )
    return n_records, n_scored, skipped


def _reasons(tally: Mapping[str, int]) -> dict[str, int]:
    return {name: n for name, n in tally.items() if name not in _NO_REASONS}
