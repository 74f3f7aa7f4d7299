"""A search for learning rate, epochs and dropout, by the validation split alone."""

import logging
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from dnabert_hf.checkpoints import locate
from dnabert_hf.files.atomic import atomic_file, open_table
from dnabert_hf.files.fingerprint import fingerprint_files, fingerprint_start
from dnabert_hf.training.finetuning.finetune import FinetuneResult, finetune
from dnabert_hf.training.hyperparameter_search.space import SearchRange, list_ranges
from dnabert_hf.training.shared.run_folder import RunFolder
from dnabert_hf.training.tasks.presets import GENERIC, find_task

__all__ = ["search_hyperparameters"]

logger = logging.getLogger(__name__)

_TABLE = "search.tsv"
_RANDOM_TRIALS = 5  # what comes after them is drawn where the best so far lie


def search_hyperparameters(
    model: str | Path,
    data: Any,
    *,
    output_dir: str | Path,
    trials: int,
    resume: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> FinetuneResult:
    """Fine-tune with the learning rate, epochs and dropout that the validation split prefers.

    Each trial is a run of `finetune` that never sees the test split. The first one takes the values
    of the recipe, some random ones follow, then the tree-structured Parzen estimator chooses
    (Bergstra et al. 2011); a trial whose best evaluation so far is below the median of the others
    at the same step ends, but not before a third of its way. The best values then train the model
    that is kept, which is tested once. A value that the options give is not searched. Beside what
    `finetune` writes, the folder receives `search.tsv` with all trials. Until then they lie in a
    folder of the same name with `.search` behind it, from which a search that was stopped goes on,
    in the middle of a trial too.

    The Trainer's own `hyperparameter_search` takes the last evaluation of a trial for its result,
    not that of the checkpoint that would be kept, and begins a trial anew that was stopped.

    Args:
        model: As in `finetune`.
        data: As in `finetune`.
        output_dir: Folder to write.
        trials: Trainings to compare; a search that goes on may have more than it began with.
        resume: Go on with a search that was stopped; begin if there is none.
        overwrite: Replace what an earlier run left in the folder.
        **options: Other options of `finetune`.

    Returns:
        What `finetune` returns for the best values.

    Raises:
        ImportError: If optuna is not installed.
        ValueError: As in `finetune`, or if there are no trials or nothing to search.
        KeyboardInterrupt: If it is stopped, with a message that says how to go on.
    """
    if trials < 1:
        raise ValueError(f"a search must have 1 trial or more, got {trials}")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(
            "a search must run in one process, found WORLD_SIZE = "
            f"{os.environ['WORLD_SIZE']}; start it without torchrun or accelerate launch"
        )
    optuna = _import_optuna()
    ranges = list_ranges(model, options)
    folder = RunFolder(Path(output_dir))
    folder.check({}, resume=resume, overwrite=overwrite)
    stage = RunFolder(folder.path.with_name(f"{folder.path.name}.search"))
    settings = (
        {"model": str(model), "data": str(data), "ranges": ranges}
        | {
            "content": fingerprint_files(data),
            "weights": fingerprint_start(locate(model)),
            "task_content": find_task(options.get("task", GENERIC)).fingerprint(),
        }
        | {name: value for name, value in options.items() if name != "callbacks"}
    )
    stage.check(settings, resume=resume, overwrite=overwrite)
    is_new = overwrite or not (resume and stage.path.exists())
    stage.begin(settings, is_new=is_new)
    search = _Search(optuna, stage, ranges, model, data, options)
    try:
        best = search.run(trials)
    except ValueError:
        if is_new and not search.finished():
            shutil.rmtree(stage.path)
        raise
    notes = {"search": search.describe(best)}
    result = finetune(
        model,
        data,
        output_dir=folder.path,
        resume=resume,
        overwrite=overwrite,
        notes=notes,
        **search.options_with(best.params),
    )
    with atomic_file(folder.path / _TABLE) as table:
        shutil.copyfile(stage.path / _TABLE, table)
    shutil.rmtree(stage.path)
    return result


def _import_optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ImportError(
            "a search needs the package optuna, which is not installed; install it with "
            "`pip install 'dnabert-hf[search]'`"
        ) from error
    return optuna


class _Search:
    """The trials of a search, on disk as they end.

    Args:
        optuna: The package.
        stage: Folder of the search.
        ranges: What is searched.
        model: Where each trial starts.
        data: Data of each trial.
        options: Options of `finetune` that all trials share.
    """

    def __init__(
        self,
        optuna: Any,
        stage: RunFolder,
        ranges: list[SearchRange],
        model: str | Path,
        data: Any,
        options: Mapping[str, Any],
    ):
        self._optuna = optuna
        self._stage = stage
        self._ranges = ranges
        self._model, self._data, self._options = model, data, options
        journal = optuna.storages.journal.JournalFileBackend(str(stage.checkpoints / "trials.log"))
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            self._study = optuna.create_study(
                study_name="search",
                storage=optuna.storages.JournalStorage(journal),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_RANDOM_TRIALS),
                direction="maximize",
                load_if_exists=True,
            )
        finally:
            optuna.logging.set_verbosity(verbosity)

    def finished(self) -> list[Any]:
        """List the trials that ended, in order; one that was stopped is not among them."""
        states = (self._optuna.trial.TrialState.COMPLETE, self._optuna.trial.TrialState.PRUNED)
        return list(self._study.get_trials(deepcopy=False, states=states))

    def run(self, n_trials: int) -> Any:
        """Run the trials that are missing, and give the best."""
        while (number := len(self.finished())) < n_trials:
            try:
                self._run_trial(number, n_trials)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(
                    f"stopped in trial {number + 1} of {n_trials}; what was done is kept: give the "
                    "same again with resume (--resume) to go on"
                ) from None
            self._write_table()
        return self._study.best_trial

    def _run_trial(self, number: int, n_trials: int) -> None:
        states = self._optuna.trial.TrialState
        for stopped in self._study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            self._study.tell(stopped.number, state=states.FAIL)
        # Seeded for each trial, so that a search that was stopped draws what it would have drawn;
        # a trial that was stopped gets the same values and goes on from its checkpoint.
        seed = int((self._options.get("arguments") or {}).get("seed", 42))
        self._study.sampler = self._optuna.samplers.TPESampler(
            n_startup_trials=_RANDOM_TRIALS, seed=(seed * 10_007 + number) % 2**32
        )
        if number == 0:
            self._study.enqueue_trial({r.field: r.default for r in self._ranges})
        trial = self._study.ask()
        values = {r.field: r.suggest(trial) for r in self._ranges}
        target = self._stage.path / f"trial-{number + 1}"
        watcher = _Watcher(self._optuna, trial)
        options = self.options_with(values)
        options["callbacks"] = [*self._options.get("callbacks", ()), watcher]
        if (target / "metrics.json").exists():  # stopped between training and the record of it
            shutil.rmtree(target)
        try:
            finetune(
                self._model,
                self._data,
                output_dir=target,
                test=False,
                reports=False,
                resume=True,
                **options,
            )
            done = self._study.tell(trial, watcher.best)
        except self._optuna.TrialPruned:
            done = self._study.tell(trial, state=states.PRUNED)
        shutil.rmtree(target)
        shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        logger.info(
            "trial %d of %d: %s: validation %s %.4f%s",
            number + 1,
            n_trials,
            shown,
            watcher.metric,
            watcher.sign * watcher.best,
            ", ended early" if done.state == states.PRUNED else "",
        )

    def options_with(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Put values where `finetune` takes them."""
        names = ("learning_rate", "num_train_epochs")
        arguments = {name: value for name, value in values.items() if name in names}
        fields = {name: value for name, value in values.items() if name not in names}
        is_frozen = bool(self._options.get("freeze"))
        return dict(self._options) | {
            # Computed once for all trials.
            "freeze": self._stage.path / "embeddings" if is_frozen else False,
            "arguments": dict(self._options.get("arguments") or {}) | arguments,
            "config": dict(self._options.get("config") or {}) | fields,
        }

    def describe(self, best: Any) -> dict[str, Any]:
        """Say for `metrics.json` what the search found."""
        finished = self.finished()
        n_pruned = sum(t.state == self._optuna.trial.TrialState.PRUNED for t in finished)
        return {
            "trials": len(finished),
            "ended_early": n_pruned,
            "best_trial": [t.number for t in finished].index(best.number) + 1,
            "values": dict(best.params),
            f"validation_{best.user_attrs['metric']}": best.user_attrs["score"],
            "ranges": {r.field: [r.low, r.high] for r in self._ranges},
        }

    def _write_table(self) -> None:
        """Write all trials that ended: number, values, best validation metric and state."""
        finished = self.finished()
        metric = finished[0].user_attrs["metric"]
        with open_table(self._stage.path / _TABLE) as write_row:
            names = [r.field for r in self._ranges]
            write_row(["trial", *names, f"validation_{metric}", "state"])
            for number, trial in enumerate(finished, start=1):
                state = "complete" if trial.state.name == "COMPLETE" else "ended early"
                values = [f"{trial.params[name]:.6g}" for name in names]
                write_row([number, *values, f"{trial.user_attrs['score']:.6g}", state])


class _Watcher(TrainerCallback):
    """Reports the evaluations of a trial, and ends it if it is worse than the others.

    Args:
        optuna: The package.
        trial: The trial.

    Attributes:
        metric: Metric that chooses the checkpoint, once there was an evaluation.
        sign: 1 if more of it is better, else -1.
        best: Best evaluation so far, times the sign.
    """

    def __init__(self, optuna: Any, trial: Any):
        self._optuna = optuna
        self._trial = trial
        self.metric = ""
        self.sign = 1
        self.best = -math.inf

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002 - the Trainer passes it by position
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Take over what was evaluated before a stop."""
        self.metric = str(args.metric_for_best_model).removeprefix("eval_")
        self.sign = 1 if args.greater_is_better else -1
        for entry in state.log_history:
            if f"eval_{self.metric}" in entry:
                self._see(entry[f"eval_{self.metric}"], int(entry["step"]))

    def on_evaluate(
        self,
        args: TrainingArguments,  # noqa: ARG002 - the Trainer passes it by position
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        metrics: dict[str, float] | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Report an evaluation.

        Raises:
            optuna.TrialPruned: If the trial is worse than the median of the others.
        """
        self._see((metrics or {})[f"eval_{self.metric}"], state.global_step)
        # Not before a third of its way: rates that begin slowly may end well.
        if 3 * state.global_step >= state.max_steps and self._trial.should_prune():
            raise self._optuna.TrialPruned

    def _see(self, value: float, step: int) -> None:
        if not math.isnan(value):
            self.best = max(self.best, self.sign * value)
        self._trial.report(self.sign * value, step)
        self._trial.set_user_attr("metric", self.metric)
        self._trial.set_user_attr("score", self.sign * self.best)
