"""What gunicorn serves: `web.wsgi:app`. The one module whose import builds something."""

import os

from shared import bootstrap
from shared.settings import Settings
from web import counters
from web.app import create_app
from web.services import Services

base = bootstrap.web(Settings.from_env(os.environ), os.environ, counters)
app = create_app(Services.of(base))
