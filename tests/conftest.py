"""Fixtures: tiny models, so that every test runs in seconds, no network, nothing shared."""

import gc
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

# Before torch and huggingface_hub are imported. Each worker of pytest-xdist has its own folder.
os.environ["OMP_NUM_THREADS"] = "1"  # there are as many workers as cores
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="dnabert-hf-tests-")
os.environ["DNABERT_HF_CACHE"] = os.environ["HF_HOME"] + "/dnabert_hf"
# A shell in the background ignores Ctrl-C, and so would every command that a test starts and stops.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np
import pytest
import torch

from dnabert_hf import DNABertConfig, DNABertTokenizer
from dnabert_hf.files.environment import command_line
from dnabert_hf.files.figures import save_figure
from dnabert_hf.training.shared import curves


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Use all cores for folders, and this process for files and tests that are named."""
    return 0 if all(".py" in argument for argument in config.args) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: no process is left with them at the end."""
    items.sort(key=lambda item: not {"integration", "training"} & set(item.path.parts))


def pytest_unconfigure() -> None:
    """Remove the caches of this process."""
    shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def _skip_garbage_of_imports() -> None:
    """Leave what has been imported out of garbage collection: accelerate asks for one often."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _curves_are_not_rendered() -> Iterator[None]:
    """Leave out the slowest third of a tiny training: the picture of its curves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "save_figure", lambda figure, path: None)
        yield


@pytest.fixture
def rendered_curves(monkeypatch) -> None:
    """Trainings draw their curves, as they do for a user."""
    monkeypatch.setattr(curves, "save_figure", save_figure)


@pytest.fixture
def typed() -> Iterator[Callable[[str], object]]:
    """Set what was typed on the command line."""
    before = command_line.get()
    yield command_line.set
    command_line.set(before)


@pytest.fixture
def tiny_config() -> DNABertConfig:
    return DNABertConfig(
        k=3,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.5,  # far from zero, so that different inputs give different outputs
    )


@pytest.fixture
def tokenizer() -> DNABertTokenizer:
    return DNABertTokenizer(k=3)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


_BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


class Browser:
    """Chromium, as a reader uses it: at a desktop, or with a phone's width and touch."""

    def __init__(self, chromium):
        self._chromium = chromium

    def open(self, place: Path | str, *, is_phone: bool = False, is_dark: bool = False):
        """Open a page of playwright's that knows what it asked for and complained of.

        Args:
            place: File, or address of a server of this machine.
            is_phone: Whether it is as narrow as a phone, and touched.
            is_dark: Whether it is wanted dark.
        """
        address = place.as_uri() if isinstance(place, Path) else place
        context = self._chromium.new_context(
            viewport={"width": 390, "height": 844} if is_phone else {"width": 1280, "height": 900},
            has_touch=is_phone,
            color_scheme="dark" if is_dark else "light",
        )
        page = context.new_page()
        requests: list[str] = []
        page.problems = []
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda message: page.problems.append(message.text))
        own = ("data:", "blob:", address)
        page.outside_requests = lambda: [url for url in requests if not url.startswith(own)]
        width = "document.documentElement.scrollWidth - window.innerWidth"
        page.overflow = lambda: page.evaluate(width)
        page.goto(address)
        return page


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no browser is installed: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=executable, args=_BROWSER_ARGUMENTS)
        yield Browser(chromium)
        chromium.close()


def _band_of_dependencies(n_bases: int, seed: int) -> np.ndarray:
    """Give dependencies that fall with distance, and little beyond a band; columns differ."""
    rng = np.random.default_rng(seed)
    distance = np.abs(np.subtract.outer(np.arange(n_bases), np.arange(n_bases)))
    level = 0.2 + 4 * np.exp(-distance / 2)
    scores = level * rng.gamma(4, 0.25, distance.shape) * rng.uniform(0.7, 1.5, n_bases)
    np.fill_diagonal(scores, np.nan)
    banded: np.ndarray = scores
    return banded


@pytest.fixture
def noise() -> Callable[[int, int], np.ndarray]:
    """Dependency maps as a Markov chain has them."""
    return _band_of_dependencies
