"""An analysis from peaks, promoters or a labelled table to one page."""

from pathlib import Path

from dnabert_hf.workflows.analysis.page import write_page
from dnabert_hf.workflows.analysis.plan import Analysis
from dnabert_hf.workflows.analysis.steps import STATE, Call, Steps

__all__ = ["analyse"]


def analyse(analysis: Analysis, *, call: Call) -> Path:
    """Do what is left to do of an analysis, and write its page.

    Args:
        analysis: What to analyse.
        call: Runs a command of `dnabert`.

    Returns:
        The page.

    Raises:
        ValueError: If the folder holds something else than an earlier analysis.
        StepFailedError: If a command ends with an error.
    """
    folder = analysis.folder
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} must be a folder to write, found a file; choose another name")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / STATE).is_file():
        raise ValueError(
            f"{folder} must be empty or new, or hold an earlier analysis ({STATE}), found other "
            "files; choose another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    steps = Steps(folder, call)
    names = []
    for step in analysis.steps():
        steps.do(step)
        names.append(step.name)
    return write_page(analysis, {name: steps.done[name] for name in names})
