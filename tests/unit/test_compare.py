"""How two commits are compared."""

import os
import shutil
import subprocess
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from bench import compare, trees
from bench.compare import BEFORE, NOW, RATIO
from bench.load import Failed
from bench.report import Figures


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One whose only file says `old` in its first commit and `new` in its second."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)  # a hook's, which mean the repository that it belongs to
    folder = tmp_path / "repository"
    folder.mkdir()
    _git(folder, "init", "--quiet")
    for text in ("old", "new"):
        (folder / "Procfile").write_text(text)
        _git(folder, "add", ".")
        _git(folder, "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", text)
    return folder


def test_every_second_round_begins_with_the_other_side() -> None:
    """What gets slower all the while meets both sides alike."""
    asked: list[str] = []

    def side(name: str) -> Figures:
        asked.append(name)
        return {"nth": len(asked)}

    found = compare.rounds({BEFORE: lambda: side("A"), NOW: lambda: side("B")}, 2)

    assert "".join(asked) == "ABBA"
    assert found == {BEFORE: [{"nth": 1}, {"nth": 4}], NOW: [{"nth": 2}, {"nth": 3}]}


def test_a_figure_that_is_missing_or_made_negative_by_noise_has_no_ratio_and_is_said_to_have_none() -> None:
    before: list[Figures] = [{"ms": 2.0, "added": -0.1}, {"ms": 4.0, "added": 0.2}, {}]
    now: list[Figures] = [{"ms": 1.0, "added": 0.1}] * 3

    found = {BEFORE: before, NOW: now, RATIO: list(map(compare.ratios, before, now))}

    assert found[RATIO] == [{"ms": 0.5}, {"ms": 0.25, "added": 0.5}, {}]
    assert compare.absent(found, {BEFORE: 3}) == {
        BEFORE: "3 measurements failed",
        RATIO: "ms in 1 of 3 rounds, added in 2 of 3 rounds",
    }


@pytest.mark.parametrize("failed", [Failed("1 error"), AssertionError("web did not happen within 10 s")])
def test_a_measurement_with_errors_is_made_again_but_not_for_ever(failed: Exception) -> None:
    spoilt: Counter[str] = Counter()

    def fails() -> Figures:
        raise failed

    found = compare.persistent(fails, NOW, spoilt)

    assert found == {}
    assert spoilt == {NOW: compare.ATTEMPTS}


def test_another_commit_lies_in_a_folder_of_its_own_as_long_as_it_is_needed(repository: Path) -> None:
    with suppress(KeyboardInterrupt), trees.checkout(repository, "HEAD~1") as tree:
        found = (tree / "Procfile").read_text()
        raise KeyboardInterrupt

    assert found == "old"
    assert not tree.exists()
    assert len(_git(repository, "worktree", "list").splitlines()) == 1


def test_what_is_changed_while_the_working_tree_is_measured_does_not_count(repository: Path) -> None:
    """And what is not committed yet does."""
    (repository / "Procfile").write_text("newest")
    (repository / "untracked").touch()

    with trees.snapshot(repository) as tree:
        (repository / "Procfile").write_text("later")
        found = {path.name: path.read_text() for path in tree.iterdir()}

    assert found == {"Procfile": "newest", "untracked": ""}


def test_a_tree_says_whether_its_pool_is_as_committed(repository: Path) -> None:
    committed = trees.described(repository)

    (repository / "Procfile").write_text("newest")

    assert committed == trees.commit(repository, "HEAD")
    assert trees.described(repository) == f"{committed} and changes not committed"


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.check_output(["git", "-C", folder, *arguments], text=True)
