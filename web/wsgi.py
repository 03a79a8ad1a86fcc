"""What gunicorn serves: `web.wsgi:app`. The one module whose import builds something."""

import os
from pkgutil import resolve_name

from shared import bootstrap
from shared.env_settings import Settings
from shared.otlp.metrics import build as metrics_over_otlp
from web.app import create_app
from web.ops import metrics
from web.services import Services

# In memory mode there is no worker: this process decides with the workers' code, which is imported only then.
base = bootstrap.web(
    Settings.from_env(os.environ), os.environ, metrics, lambda: resolve_name("workers.in_place:build")
)
services = Services.of(base, metrics_over_otlp(os.environ))
app = create_app(services)
