"""The dashboard of the pool: whether sessions stay, how fast answers begin, and what is away."""

from deploy.grafana.panels import Dashboard, Kind, Panel, Query, Row, Unit

_OVERVIEW = Row(
    "Now",
    (
        Panel(
            title="Requests",
            says="Answers to clients, health checks left out.",
            kind=Kind.NUMBER,
            unit=Unit.PER_SECOND,
            width=4,
            queries=(Query('job:plano_responses:rate5m{job="$job"}'),),
        ),
        Panel(
            title="Found a pin",
            says="The share of requests that a standing pin decided. It falls when sessions are lost.",
            kind=Kind.NUMBER,
            unit=Unit.SHARE,
            width=4,
            queries=(Query('job:plano_pin_hits:ratio_rate5m{job="$job"}'),),
        ),
        Panel(
            title="Server errors",
            says="The share of answers that are 5xx.",
            kind=Kind.NUMBER,
            unit=Unit.SHARE,
            width=4,
            queries=(Query('job:plano_server_errors:ratio_rate5m{job="$job"} or vector(0)'),),
        ),
        Panel(
            title="Degraded",
            says="The share of answers that were given, or refused, while Redis, the queue or the router was away.",
            kind=Kind.NUMBER,
            unit=Unit.SHARE,
            width=4,
            queries=(Query('sum(job_part:plano_degraded:ratio_rate5m{job="$job"})'),),
        ),
        Panel(
            title="Workers",
            says="Worker processes that live. Without any, new sessions are not routed.",
            kind=Kind.NUMBER,
            unit=Unit.NUMBER,
            width=4,
            queries=(Query('job:plano_workers:max{job="$job"}'),),
        ),
        Panel(
            title="Split sessions, 24 h",
            says="Sessions that two models served although no event explains it. It must be 0.",
            kind=Kind.NUMBER,
            unit=Unit.NUMBER,
            width=4,
            queries=(Query('sum(increase(plano_unexplained_switch_total{job="$job"}[24h])) or vector(0)'),),
        ),
    ),
)
_REQUESTS = Row(
    "Requests",
    (
        Panel(
            title="Answers by status",
            says="499: the client had gone before its answer began.",
            unit=Unit.PER_SECOND,
            stacked=True,
            queries=(Query('sum by (code) (rate(plano_responses_total{job="$job"}[$__rate_interval]))', "{{code}}"),),
        ),
        Panel(
            title="Decisions by what made them",
            says="pin: a standing pin. route: the router. own: the request's own model.",
            unit=Unit.PER_SECOND,
            stacked=True,
            queries=(Query('sum by (by) (rate(plano_decisions_total{job="$job"}[$__rate_interval]))', "{{by}}"),),
        ),
        Panel(
            title="Requests while something was away",
            says="Each of them was served by its own model and not pinned, or refused where on_outage is reject.",
            unit=Unit.PER_SECOND,
            stacked=True,
            queries=(Query('sum by (part) (rate(plano_degraded_total{job="$job"}[$__rate_interval]))', "{{part}}"),),
        ),
    ),
)
_LATENCY = Row(
    "Latency",
    (
        Panel(
            title="First byte of an answer, 95 of 100, by model",
            says="From the request to the provider to the first byte of its answer.",
            unit=Unit.SECONDS,
            queries=(Query('job_model:plano_first_byte_seconds:p95_5m{job="$job"}', "{{model}}"),),
        ),
        Panel(
            title="First byte of an answer, all models",
            says="The median, and what 95 and 99 of 100 answers stay below.",
            unit=Unit.SECONDS,
            queries=tuple(
                Query(
                    f"histogram_quantile({share}, "
                    'sum by (le) (rate(plano_first_byte_seconds_bucket{job="$job"}[$__rate_interval])))',
                    f"{share:.0%}",
                )
                for share in (0.5, 0.95, 0.99)
            ),
        ),
        Panel(
            title="Wait for a decision that no pin made",
            says="What the first request of a session pays for being routed.",
            unit=Unit.SECONDS,
            queries=(
                Query('job:plano_decision_seconds:p95_5m{job="$job"}', "95%"),
                Query(
                    "histogram_quantile(0.5, "
                    'sum by (le) (rate(plano_decision_seconds_bucket{job="$job"}[$__rate_interval])))',
                    "50%",
                ),
            ),
        ),
    ),
)
_MODELS = Row(
    "Models",
    (
        Panel(
            title="Answers by model",
            says="The share of each model in what is answered.",
            unit=Unit.PER_SECOND,
            stacked=True,
            queries=(
                Query(
                    'sum by (model) (rate(plano_first_byte_seconds_count{job="$job"}[$__rate_interval]))', "{{model}}"
                ),
            ),
        ),
        Panel(
            title="Failed attempts",
            says="Requests to providers that failed; mostly another candidate then answered.",
            unit=Unit.PER_SECOND,
            stacked=True,
            queries=(
                Query(
                    'sum by (model, outcome) (rate(plano_failed_attempts_total{job="$job"}[$__rate_interval]))',
                    "{{model}} {{outcome}}",
                ),
            ),
        ),
        Panel(
            title="Models that sit out",
            says="1 while a model is asked last, because it has failed.",
            unit=Unit.NUMBER,
            queries=(Query('max by (model) (plano_model_cooling{job="$job"})', "{{model}}"),),
        ),
    ),
)
_PARTS = Row(
    "Parts",
    (
        Panel(
            title="Workers, and jobs that wait for one",
            says="Jobs that wait for long are first requests that wait.",
            unit=Unit.NUMBER,
            queries=(
                Query('job:plano_workers:max{job="$job"}', "workers"),
                Query('job:plano_queue_waiting_jobs:max{job="$job"}', "jobs"),
            ),
        ),
        Panel(
            title="Unusable values, and records that are lost",
            says="By kind: something else writes to our keys; the log says to which. Records: Redis took no write.",
            unit=Unit.PER_SECOND,
            queries=(
                Query('sum by (kind) (rate(plano_unreadable_total{job="$job"}[$__rate_interval]))', "{{kind}}"),
                Query('sum(rate(plano_records_dropped_total{job="$job"}[$__rate_interval]))', "records"),
            ),
        ),
        Panel(
            title="Replicas by config and version",
            says="More than one line: the replicas differ.",
            kind=Kind.TABLE,
            unit=Unit.NUMBER,
            queries=(Query('count by (config, version) (plano_build_info{job="$job"})'),),
        ),
    ),
)

POOL = Dashboard(
    uid="plano-pool",
    title="Plano: the pool",
    says="Whether sessions stay with their models, how fast answers begin, and what is away.",
    rows=(_OVERVIEW, _REQUESTS, _LATENCY, _MODELS, _PARTS),
)
