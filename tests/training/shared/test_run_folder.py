import json

import pytest

from dnabert_hf.files.atomic import write_json
from dnabert_hf.training.shared.run_folder import RunFolder


def make_checkpoint(folder, step, *, is_complete=True):
    path = folder.checkpoints / f"checkpoint-{step}"
    path.mkdir(parents=True)
    if is_complete:
        (path / "trainer_state.json").write_text("{}")
    return path


def test_a_new_or_empty_folder_may_be_written(tmp_path):
    assert RunFolder(tmp_path).check({}, resume=False, overwrite=False) is None
    assert RunFolder(tmp_path / "new").check({}, resume=True, overwrite=False) is None
    assert not (tmp_path / "new").exists()


def test_files_in_the_folder_are_not_overwritten_unasked(tmp_path):
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(ValueError, match="must be empty, found files; choose another"):
        RunFolder(tmp_path).check({}, resume=False, overwrite=False)
    assert RunFolder(tmp_path).check({}, resume=False, overwrite=True) is None


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


def test_a_finished_run_cannot_go_on(tmp_path):
    folder = RunFolder(tmp_path / "out")
    folder.begin({}, is_new=True)
    write_json({}, folder.path / "metrics.json")
    (folder.path / "training_args.bin").write_text("x")
    folder.finish()
    assert [file.name for file in folder.path.iterdir()] == ["metrics.json"]
    with pytest.raises(ValueError, match=r"must not be finished, found its metrics\.json"):
        folder.check({}, resume=True, overwrite=False)


def test_resuming_in_a_folder_without_a_run_begins(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    assert RunFolder(tmp_path).check({}, resume=True, overwrite=False) is None


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
