FROM python:3.12-slim

WORKDIR /app
# By number: Kubernetes can tell that it is not root. It writes nowhere but in /tmp.
RUN useradd --uid 10001 --no-log-init --home-dir /app --no-create-home --shell /usr/sbin/nologin plano

# Dependencies change less often than code: their layer comes first.
COPY pyproject.toml constraints.txt README.md LICENSE Procfile ./
COPY shared/__init__.py shared/
COPY web/__init__.py web/
COPY workers/__init__.py workers/
RUN pip install --no-cache-dir --constraint constraints.txt .

COPY . .
RUN pip install --no-cache-dir --no-deps --force-reinstall .

USER 10001
ENV PLANO_CONFIG=/app/config.yaml PYTHONUNBUFFERED=1
EXPOSE 12000
STOPSIGNAL SIGTERM
# The three processes are the Procfile's; this one is the default.
CMD ["gunicorn", "-c", "python:web.server.gunicorn_conf", "web.wsgi:app"]
