import json
import shutil

import pytest

from dnabert_hf.workflows.analysis.steps import Step, StepFailedError, Steps


class Calls:
    """Commands that copy a file, and what was asked for."""

    def __init__(self, code=0):
        self.code, self.words = code, []

    def __call__(self, words):
        self.words.append(list(words))
        if self.code == 0:
            shutil.copyfile(*words[1:3])
        return self.code, f"copied {words[1]}\n"


@pytest.fixture
def step(tmp_path):
    (tmp_path / "in.txt").write_text("one")
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    return Step("copy", ("cp", str(source), str(target)), (source,), (target,))


def test_a_finished_step_is_repeated_only_when_its_inputs_or_outputs_change(step, tmp_path):
    calls = Calls()
    assert Steps(tmp_path, calls).do(step) == f"copied {step.words[1]}\n"
    # Another process finds it done, and knows what it printed.
    assert Steps(tmp_path, calls).do(step) == f"copied {step.words[1]}\n"
    assert calls.words == [list(step.words)]
    (tmp_path / "in.txt").write_text("two")
    Steps(tmp_path, calls).do(step)
    assert calls.words[1:] == [[*step.words, "--overwrite"]]
    assert (tmp_path / "out.txt").read_text() == "two"
    (tmp_path / "out.txt").unlink()
    Steps(tmp_path, calls).do(step)
    assert calls.words[2:] == [list(step.words)]


def test_a_step_that_fails_is_run_again_and_an_allowed_code_is_no_failure(step, tmp_path):
    calls = Calls(code=2)
    with pytest.raises(StepFailedError, match="stopped at the step copy; the same command") as stop:
        Steps(tmp_path, calls).do(step)
    assert stop.value.code == 2
    assert json.loads((tmp_path / "run.json").read_text())["steps"]["copy"]["is_done"] is False
    Steps(tmp_path, Calls()).do(step)
    assert (tmp_path / "out.txt").read_text() == "one"
    Steps(tmp_path, Calls(code=1)).do(Step("check", ("check", "x", "y"), allowed=(0, 1)))


def test_a_training_that_was_stopped_goes_on(tmp_path):
    model = tmp_path / "model"
    step = Step("finetune", ("finetune", "x", "-o", str(model)), ("x",), (model,))
    calls = Calls(code=143)
    with pytest.raises(StepFailedError):
        Steps(tmp_path, calls).do(step)
    (model / "checkpoints").mkdir(parents=True)
    with pytest.raises(StepFailedError):
        Steps(tmp_path, calls).do(step)
    assert calls.words[1] == [*step.words, "--resume"]
    # With other inputs there is nothing to go on with.
    with pytest.raises(StepFailedError):
        Steps(tmp_path, calls).do(Step("finetune", step.words, ("other",), (model,)))
    assert calls.words[2] == list(step.words)
    assert not model.exists()


def test_a_command_can_be_copied_into_a_shell():
    assert Step("a", ("predict", "my model", "x.fa")).command == "dnabert predict 'my model' x.fa"
