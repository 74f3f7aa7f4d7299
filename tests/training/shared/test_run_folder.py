import json
import logging

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from dnabert_hf.files.atomic import write_json
from dnabert_hf.training.shared.run_folder import RunFolder


def make_checkpoint(folder, step, *, is_complete=True):
    path = folder.checkpoints / f"checkpoint-{step}"
    path.mkdir(parents=True)
    save_file({"weight": np.ones(100, dtype=np.float32)}, path / "model.safetensors")
    for name in ("optimizer.pt", "rng_state.pth"):
        torch.save({"step": torch.ones(100)}, path / name)
    if is_complete:
        (path / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return path


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_new_or_empty_folder_may_be_written(tmp_path):
    assert RunFolder(tmp_path).check({}, resume=False, overwrite=False) is None
    assert RunFolder(tmp_path / "new").check({}, resume=True, overwrite=False) is None
    assert not (tmp_path / "new").exists()


def test_files_in_the_folder_are_not_overwritten_unasked(tmp_path):
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(ValueError, match="must be empty, found files; choose another"):
        RunFolder(tmp_path).check({}, resume=False, overwrite=False)


@pytest.mark.parametrize(
    "files",
    [
        {"README.md": "MINE", "checkpoints/thesis_model.pt": "MINE"},
        {"metrics.json": '{"mcc": 0.5}', "predictions.tsv": "MINE"},
        {"metrics.json": "no JSON"},
        {"checkpoints/checkpoint-1/trainer_state.json": "{}"},
    ],
)
@pytest.mark.parametrize("options", [{"resume": True}, {"overwrite": True}])
def test_a_folder_of_somebody_is_neither_gone_on_in_nor_overwritten(tmp_path, files, options):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r"must be that of a run, with checkpoints/run\.json or"):
        RunFolder(tmp_path).check({}, **{"resume": False, "overwrite": False} | options)
    assert contents(tmp_path) == before


def test_a_run_stopped_before_it_noted_its_settings_begins(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    for options in ({"resume": True}, {"overwrite": True}, {}):
        options = {"resume": False, "overwrite": False} | options
        assert RunFolder(tmp_path).check({}, **options) is None


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(ValueError, match="must be a folder, found a file"):
        RunFolder(tmp_path / "out").check({}, resume=False, overwrite=False)
    with pytest.raises(ValueError, match="must be a folder, found a file"):
        RunFolder(tmp_path / "out").check({}, resume=False, overwrite=True)


def test_a_stopped_run_goes_on_from_its_last_complete_checkpoint(tmp_path):
    folder = RunFolder(tmp_path / "out")
    folder.begin({"seed": 1}, is_new=True)
    assert folder.check({"seed": 1}, resume=True, overwrite=False) is None
    make_checkpoint(folder, 90)
    last = make_checkpoint(folder, 100)
    make_checkpoint(folder, 110, is_complete=False)
    assert folder.check({"seed": 1}, resume=True, overwrite=False) == str(last)
    folder.begin({"seed": 1}, is_new=False)
    assert last.is_dir()


def test_other_settings_are_named(tmp_path):
    folder = RunFolder(tmp_path / "out")
    folder.begin({"seed": 1, "data": tmp_path}, is_new=True)
    with pytest.raises(ValueError, match="but seed was 1 and is 2"):
        folder.check({"seed": 2, "data": tmp_path}, resume=True, overwrite=False)
    assert folder.check({"data": tmp_path}, resume=True, overwrite=False) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": {"masking": "random", "k": 6}}, r"but recipe\.masking was 'constant' and is"),
        ({"arguments": {"lr": 0.1}}, r"but arguments\.lr was not given and is 0\.1; give the same"),
        ({"weights": {}}, r"but weights\.chr1 was 0\.5 and is not given; give the same"),
        (
            {"seed": 2, "weights": {"chr1": 2, "chr2": 3}},
            r"but seed was 1 and is 2, weights\.chr1 was 0\.5 and is 2 and weights\.chr2 was not",
        ),
        ({"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}, "c was None and is 1 and 2 more; give"),
    ],
)
def test_the_field_within_a_setting_is_named(tmp_path, changes, message):
    settings = {
        "seed": 1,
        "recipe": {"masking": "constant", "k": 6},
        "weights": {"chr1": 0.5},
        "arguments": {},
    }
    folder = RunFolder(tmp_path / "out")
    folder.begin(settings, is_new=True)
    with pytest.raises(ValueError, match=message):
        folder.check(settings | changes, resume=True, overwrite=False)


@pytest.mark.parametrize(
    "name", ["trainer_state.json", "model.safetensors", "optimizer.pt", "rng_state.pth"]
)
@pytest.mark.parametrize("share", [0, 0.5, 0.97])
def test_a_checkpoint_that_was_cut_is_passed_by(tmp_path, caplog, name, share):
    folder = RunFolder(tmp_path / "out")
    folder.begin({}, is_new=True)
    whole, cut = make_checkpoint(folder, 9), make_checkpoint(folder, 10)
    (folder.checkpoints / "checkpoint-foo").mkdir()
    content = (cut / name).read_bytes()
    (cut / name).write_bytes(content[: int(share * len(content))])
    with caplog.at_level(logging.WARNING):
        assert folder.last_checkpoint() == str(whole)
    assert f"checkpoint-10 is passed by: its {name} was not written to its end" in caplog.text


@pytest.mark.parametrize("name", ["optimizer.pt", "rng_state.pth"])
@pytest.mark.parametrize("share", [0.3, 0.4, 0.5, 0.6, 0.7, 0.95])
def test_a_checkpoint_with_other_bytes_is_passed_by(tmp_path, caplog, name, share):
    """Of the length that it had, as after a fault of a disk; a fifth in there is only padding."""
    folder = RunFolder(tmp_path / "out")
    folder.begin({}, is_new=True)
    whole, damaged = make_checkpoint(folder, 9), make_checkpoint(folder, 10)
    content = bytearray((damaged / name).read_bytes())
    at = int(share * len(content))
    content[at : at + 40] = bytes(byte ^ 0x5A for byte in content[at : at + 40])
    (damaged / name).write_bytes(bytes(content))
    with caplog.at_level(logging.WARNING):
        assert folder.last_checkpoint() == str(whole)
    assert f"checkpoint-10 is passed by: its {name}" in caplog.text


@pytest.mark.parametrize("text", ["", "{", "[]", "7"])
def test_damaged_settings_are_named(tmp_path, text):
    folder = RunFolder(tmp_path / "out")
    folder.begin({}, is_new=True)
    (folder.checkpoints / "run.json").write_text(text)
    with pytest.raises(ValueError, match=r"run\.json must hold the settings .* begin anew"):
        folder.check({}, resume=True, overwrite=False)
    assert folder.check({}, resume=False, overwrite=True) is None


def test_a_run_killed_between_its_report_and_its_end_is_tidied(tmp_path):
    folder = RunFolder(tmp_path / "out")
    folder.begin({}, is_new=True)
    make_checkpoint(folder, 5)
    (folder.path / "training_args.bin").write_text("x")
    write_json({"versions": {}}, folder.path / "metrics.json")
    with pytest.raises(ValueError, match=r"must not be finished, found its metrics\.json"):
        folder.check({}, resume=True, overwrite=False)
    assert [file.name for file in folder.path.iterdir()] == ["metrics.json"]


def test_what_somebody_puts_among_the_checkpoints_stays(tmp_path, caplog):
    folder = RunFolder(tmp_path / "out")
    folder.begin({}, is_new=True)
    make_checkpoint(folder, 5)
    (folder.checkpoints / "thesis.tex").write_text("MINE")
    folder.finish()
    assert [file.name for file in folder.checkpoints.iterdir()] == ["thesis.tex"]
    assert "checkpoints stays: it holds files that no run wrote" in caplog.text


def test_a_finished_run_cannot_go_on(tmp_path):
    folder = RunFolder(tmp_path / "out")
    folder.begin({}, is_new=True)
    write_json({"versions": {}}, folder.path / "metrics.json")
    (folder.path / "training_args.bin").write_text("x")
    folder.finish()
    assert [file.name for file in folder.path.iterdir()] == ["metrics.json"]
    with pytest.raises(ValueError, match=r"must not be finished, found its metrics\.json"):
        folder.check({}, resume=True, overwrite=False)


def test_overwriting_removes_reports_and_checkpoints_and_nothing_else(tmp_path):
    folder = RunFolder(tmp_path)
    make_checkpoint(folder, 5)
    (tmp_path / "curves.png").write_text("x")
    (tmp_path / "README.md").write_text("the card of an earlier model")
    (tmp_path / "thesis.txt").write_text("x")
    folder.begin({"seed": 1}, is_new=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["checkpoints", "thesis.txt"]
    assert [file.name for file in folder.checkpoints.iterdir()] == ["run.json"]


def test_json_is_moved_into_place(tmp_path):
    write_json({"mcc": 0.5}, tmp_path / "metrics.json")
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"mcc": 0.5}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json({"mcc": float("nan")}, tmp_path / "metrics.json")
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"mcc": 0.5}
