"""How a pool of `plano up` is found from another terminal."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from shared.cli.local_pool.pool_register import RunningPool, announced, running_pool
from shared.errors import ConfigError


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A session of its own, and nothing in the folder for temporary files."""
    (tmp_path / "session").mkdir()
    return {"XDG_RUNTIME_DIR": str(tmp_path / "session"), "TMPDIR": str(tmp_path)}


def pool(port: int = 12000, config: str = "/there/config.yaml") -> RunningPool:
    return RunningPool(config=config, port=port, redis_url=f"unix:///{port}.sock", variables={"A_PORT": "5"})


def files(env: dict[str, str]) -> list[Path]:
    return list((Path(env["XDG_RUNTIME_DIR"]) / "plano").iterdir())


def test_a_pool_is_found_while_it_runs(env: dict[str, str]) -> None:
    with announced(pool(), env):
        found = running_pool(env)
    afterwards = running_pool(env)

    assert found == pool()
    assert afterwards is None
    assert files(env) == []


def test_nothing_is_found_where_none_was_ever_started(env: dict[str, str]) -> None:
    assert running_pool(env) is None


def test_the_file_of_a_pool_that_was_killed_is_ignored_and_removed(env: dict[str, str]) -> None:
    """Its lock went with it."""
    with announced(pool(), env):
        (file,) = (file for file in files(env) if file.suffix == ".json")
        left = file.read_bytes()
    file.write_bytes(left)

    assert running_pool(env) is None
    assert files(env) == []


def test_a_pool_starts_over_the_file_of_one_that_was_killed(env: dict[str, str]) -> None:
    with announced(pool(), env):
        (file,) = (file for file in files(env) if file.suffix == ".json")
    file.write_text("{}")

    with announced(pool(), env):
        assert running_pool(env) == pool()


def test_of_several_one_is_named_by_its_port_or_its_config(env: dict[str, str]) -> None:
    with _announced(env, pool(1), pool(2, "/other/config.yaml")):
        assert running_pool(env, port=1) == pool(1)
        assert running_pool(env, config=Path("/other/config.yaml")) == pool(2, "/other/config.yaml")
        assert running_pool(env, port=3) is None
        with pytest.raises(ConfigError) as caught:
            running_pool(env)

    assert str(caught.value) == (
        "several pools run: PORT=1 (/there/config.yaml), PORT=2 (/other/config.yaml); say which one by its PORT"
    )


def test_what_is_no_pool_is_ignored(env: dict[str, str]) -> None:
    with _announced(env, pool(1)):
        (file,) = (file for file in files(env) if file.suffix == ".json")
        file.write_text('{"of": "another version"}')

        assert running_pool(env) is None


def test_a_folder_in_which_others_can_write_is_not_believed(env: dict[str, str]) -> None:
    """Its files could lead to anybody's Redis."""
    with _announced(env, pool()):
        folder = Path(env["XDG_RUNTIME_DIR"]) / "plano"
        folder.chmod(0o770)

        assert running_pool(env) is None
        with pytest.raises(PermissionError), announced(pool(2), env):
            pass


def test_without_a_session_it_is_found_in_the_folder_for_temporary_files(env: dict[str, str]) -> None:
    """Whoever asks may have a session, where who started it had none."""
    without = {"TMPDIR": env["TMPDIR"]}

    with announced(pool(), without):
        assert running_pool(without) == running_pool(env) == pool()


@contextmanager
def _announced(env: dict[str, str], *pools: RunningPool) -> Iterator[None]:
    with ExitStack() as running:
        for each in pools:
            running.enter_context(announced(each, env))
        yield
