"""Trees to be measured, each in a folder of its own: another commit, and the working tree as it is now."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEASURED = ("web", "workers", "shared", "Procfile")
"""What a pool runs; changes elsewhere do not count."""


def commit(repository: Path, ref: str) -> str:
    """The commit that a branch, tag or expression such as `HEAD~1` names; exits when there is none."""
    found = _git(repository, "rev-parse", "--quiet", "--verify", "--end-of-options", f"{ref}^{{commit}}", check=False)
    if not found:
        raise SystemExit(f"{ref} is no commit of {repository}")
    return found


def described(tree: Path) -> str:
    """A tree's commit, and whether its pool's files differ from it."""
    changed = _git(tree, "status", "--porcelain", "--", *MEASURED)
    return commit(tree, "HEAD") + (" and changes not committed" if changed else "")


@contextmanager
def checkout(repository: Path, ref: str) -> Iterator[Path]:
    """A commit's files in a temporary folder, which is removed at the end, also at Ctrl-C."""
    wanted = commit(repository, ref)
    with tempfile.TemporaryDirectory(prefix="plano-tree-") as folder:
        tree = Path(folder) / "tree"
        try:
            _git(repository, "worktree", "add", "--quiet", "--detach", str(tree), wanted)
            yield tree
        finally:
            _git(repository, "worktree", "remove", "--force", str(tree), check=False)


@contextmanager
def snapshot(repository: Path) -> Iterator[Path]:
    """The working tree's files in such a folder, but for those that git ignores; later changes do not reach it."""
    listed = _git(repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    with tempfile.TemporaryDirectory(prefix="plano-tree-") as folder:
        tree = Path(folder) / "tree"
        for name in listed:
            if (repository / name).is_file():  # one that was deleted is still listed
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(repository / name, tree / name)
        yield tree


def _git(tree: Path, *arguments: str, check: bool = True) -> str:
    done = subprocess.run(["git", "-C", tree, *arguments], stdout=subprocess.PIPE, text=True, check=check, timeout=60)
    return done.stdout.strip()
