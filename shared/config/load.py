"""From a path to a config: read, fill in, migrate, check, build."""

from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path

from shared.config import document, environment, unserved, walk
from shared.config.build import build
from shared.config.check import check
from shared.config.faults import Faults
from shared.config.migrate import present
from shared.config.models import serve
from shared.config.schema import File
from shared.config.values import Config


def load(path: Path, env: Mapping[str, str]) -> Config:
    """What the config file says, with variables taken from `env`, then from `.env` beside the file.

    Raises ConfigError that lists every fault, each as `path: what is wrong; what would be right`.
    """
    faults = Faults()
    data = document.content(path)
    tree = document.parse(data, str(path), faults)
    ignored = unserved.take_out(tree)
    if not (tree.get("model_providers") or tree.get("llm_providers")):
        faults.add("model_providers", "is empty", "name at least one model, such as openai/gpt-4o-mini")
    variables = ChainMap(dict(env), environment.read_dotenv(path.parent / ".env", faults))
    file = walk.read(environment.fill(tree, variables, faults), File, faults)
    now = present(file, faults)
    served = serve(now, file.model_aliases or {}, faults)
    check(file, now.routes, served.catalog, path.parent, faults)
    faults.raise_any()
    warnings = list(now.warnings)
    if ignored:
        warnings.append(f"ignored, as nothing here uses it: {', '.join(ignored)}")
    return build(file, now, served, folder=path.parent, warnings=warnings, data=data)
