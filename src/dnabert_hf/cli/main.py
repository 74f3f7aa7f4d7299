"""The console script `dnabert`."""

import logging
import os
import pickle
import shlex
import signal
import sys
import zipfile
import zlib
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

import typer
from safetensors import SafetensorError
from typer.core import TyperGroup

from dnabert_hf.cli.app import app as app_page
from dnabert_hf.cli.attention import attention
from dnabert_hf.cli.attention_report import attention_report
from dnabert_hf.cli.attribute import attribute
from dnabert_hf.cli.benchmark import benchmark
from dnabert_hf.cli.convert import convert
from dnabert_hf.cli.dataset import dataset
from dnabert_hf.cli.demo import demo
from dnabert_hf.cli.dependencies import dependencies
from dnabert_hf.cli.design import design
from dnabert_hf.cli.embed import embed
from dnabert_hf.cli.evaluate import evaluate
from dnabert_hf.cli.evaluate_mlm import evaluate_mlm
from dnabert_hf.cli.example_data import example_data
from dnabert_hf.cli.experiment import experiment
from dnabert_hf.cli.export import export
from dnabert_hf.cli.finetune import finetune
from dnabert_hf.cli.funnel import funnel
from dnabert_hf.cli.join import join
from dnabert_hf.cli.loci import loci
from dnabert_hf.cli.mine_negatives import mine_negatives
from dnabert_hf.cli.motifs import motifs
from dnabert_hf.cli.mutagenesis import mutagenesis
from dnabert_hf.cli.nearest import nearest
from dnabert_hf.cli.options.command import Command
from dnabert_hf.cli.predict import predict
from dnabert_hf.cli.pretrain import pretrain
from dnabert_hf.cli.probe import probe
from dnabert_hf.cli.publish import publish
from dnabert_hf.cli.run import run
from dnabert_hf.cli.scan import scan
from dnabert_hf.cli.search import search
from dnabert_hf.cli.stack import stack
from dnabert_hf.cli.tasks import tasks
from dnabert_hf.cli.tokenize import tokenize
from dnabert_hf.cli.umap import umap
from dnabert_hf.cli.variants import variants
from dnabert_hf.files.environment import command_line

__all__ = ["app", "main"]

_INTERRUPTED = 130  # as shells report a process that Ctrl-C ended
_TERMINATED = 143  # and one that SIGTERM ended
_FAILED = 2
_TYPED = "dnabert_hf.typed"
# What wrong input and a full disk raise, in Python and in the libraries that read files; anything
# else is a fault of the program, and shows its traceback.
_ERRORS = (
    ValueError,
    OSError,
    ImportError,
    EOFError,
    OverflowError,
    RecursionError,
    SafetensorError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    zlib.error,
)


class _Terminated(KeyboardInterrupt):
    """SIGTERM, as schedulers send it: what is unfinished is tidied up as after Ctrl-C."""


def _terminate(*_: object) -> None:
    raise _Terminated


def _is_by_signal(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, _Terminated):
        error = error.__context__
    return error is not None


class _Commands(TyperGroup):
    """Commands whose errors are one line on standard error."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        ctx.meta[_TYPED] = shlex.join(["dnabert", *args])
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        before = command_line.set(ctx.meta[_TYPED])
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            message, code = str(stop) or "stopped", _INTERRUPTED
            if _is_by_signal(stop):
                code = _TERMINATED
        except BrokenPipeError:
            raise  # typer ends quietly when, say, `head` has read enough
        except _ERRORS as error:
            text = " ".join(str(error).split())
            if not isinstance(error, ValueError | OSError | ImportError) or not text:
                text = f"{type(error).__name__}: {text}"  # from a library, in its own words
            message, code = f"error: {text}", _FAILED
        finally:
            command_line.reset(before)
        typer.echo(f"dnabert {self._name_command(ctx)}: {message}", err=True)
        raise typer.Exit(code)

    def _name_command(self, ctx: Any) -> str:
        """Name the command that runs, one of a group with its group."""
        name = str(ctx.invoked_subcommand)
        group = self.commands.get(name)
        inner = getattr(group, "commands", {})
        words = shlex.split(ctx.meta[_TYPED])
        return " ".join([name, *[word for word in words if word in inner][:1]])


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",  # paragraphs that fit any width, and examples left as they are
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
# By what one wants to do; the order is that of the work.
_COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "Start here": (run, demo, example_data),
    "Make data": (tokenize,),
    "Train": (pretrain, finetune, search, mine_negatives, stack, benchmark, tasks),
    "Use a model": (
        predict,
        evaluate,
        evaluate_mlm,
        embed,
        nearest,
        probe,
        umap,
        scan,
        loci,
        variants,
        mutagenesis,
        funnel,
        join,
    ),
    "Explain a model": (
        app_page,
        attention,
        attribute,
        attention_report,
        motifs,
        dependencies,
        design,
    ),
    "Share a model": (convert, export, publish),
}
for _panel, _commands in _COMMANDS.items():
    for _command in _commands:
        app.command(cls=Command, rich_help_panel=_panel)(_command)
    if _panel == "Make data":
        app.add_typer(dataset, name="dataset", rich_help_panel=_panel)
    if _panel == "Explain a model":
        app.add_typer(experiment, name="experiment", rich_help_panel=_panel)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dnabert-hf {version('dnabert-hf')}")
        raise typer.Exit


@app.callback()
def _program(
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Say which version this is.",
            callback=_say_version,
            is_eager=True,
            show_default=False,
        ),
    ] = False,
) -> None:
    """DNABERT: raw DNA in, trained models, predictions and embeddings out.

    New here? `dnabert demo -o demo` does the main job on simulated data.
    """


def main() -> None:
    """Run the command line."""
    # Of the processes that torchrun starts, one says what all would say.
    is_first = os.environ.get("RANK", "0") == "0"
    level = logging.WARNING if is_first else logging.ERROR
    logging.basicConfig(format="dnabert: %(message)s", level=level)
    # What transformers reports while it loads is checked, and put into one sentence, by us.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    logging.getLogger("huggingface_hub").propagate = False  # it has a handler of its own
    # torchrun ends its processes by SIGTERM, where they wait for each other and could not answer.
    if "RANK" not in os.environ:
        signal.signal(signal.SIGTERM, _terminate)
    sys.exit(app())
