"""The dashboard of the money: what answers cost, what prompt caches keep, and what is lost by leaving one."""

from deploy.grafana.panels import Dashboard, Kind, Panel, Query, Row, Unit


def _usd(title: str, says: str, expr: str, unit: Unit = Unit.USD) -> Panel:
    return Panel(title=title, says=says, kind=Kind.NUMBER, unit=unit, width=4, queries=(Query(expr),))


def _sum(metric: str, window: str) -> str:
    return f'(sum(increase({metric}{{job="$job"}}[{window}])) or vector(0))'


_DAY = Row(
    "The last day",
    (
        _usd("Cost, 1 h", "By the prices of the cost source.", _sum("plano_cost_usd_total", "1h")),
        _usd("Cost, 24 h", "By the prices of the cost source.", _sum("plano_cost_usd_total", "24h")),
        _usd("Kept, 24 h", "What prompt caches kept from being paid.", _sum("plano_kept_usd_total", "24h")),
        _usd(
            "Lost, 24 h", "What it cost that sessions left a warm prompt cache.", _sum("plano_lost_usd_total", "24h")
        ),
        _usd(
            "Kept of what it would cost",
            "Kept, as a share of what answers would have cost without prompt caches.",
            f"{_sum('plano_kept_usd_total', '24h')} / "
            f"({_sum('plano_kept_usd_total', '24h')} + {_sum('plano_cost_usd_total', '24h')} > 0)",
            Unit.SHARE,
        ),
        _usd(
            "Models without a price",
            "What they answer is counted in tokens only.",
            'max(plano_models{job="$job",priced="false"})',
            Unit.NUMBER,
        ),
    ),
)
_COST = Row(
    "US$ an hour",
    (
        Panel(
            title="Cost by model",
            says="In the hour before.",
            unit=Unit.USD,
            stacked=True,
            queries=(Query('job_model:plano_cost_usd:increase1h{job="$job"}', "{{model}}"),),
        ),
        Panel(
            title="Kept by model",
            says="What prompt caches kept from being paid in the hour before.",
            unit=Unit.USD,
            stacked=True,
            queries=(Query('job_model:plano_kept_usd:increase1h{job="$job"}', "{{model}}"),),
        ),
        Panel(
            title="Lost by reason",
            says="What it cost in the hour before that sessions left a warm prompt cache.",
            unit=Unit.USD,
            stacked=True,
            queries=(Query('sum by (reason) (increase(plano_lost_usd_total{job="$job"}[1h]))', "{{reason}}"),),
        ),
        Panel(
            title="Cost by tenant, the ten dearest",
            says="In the hour before.",
            unit=Unit.USD,
            queries=(
                Query('topk(10, sum by (tenant) (increase(plano_cost_usd_total{job="$job"}[1h])))', "{{tenant}}"),
            ),
        ),
        Panel(
            title="Seconds that `plano savings` lacks",
            says="Redis did not take the sums of these seconds.",
            unit=Unit.NUMBER,
            queries=(Query('sum(increase(plano_savings_dropped_total{job="$job"}[1h]))', "seconds"),),
        ),
    ),
)
_TOKENS = Row(
    "Tokens a second",
    (
        Panel(
            title="Tokens by kind",
            says="reasoning is part of output.",
            unit=Unit.NUMBER,
            queries=(Query('sum by (kind) (rate(plano_tokens_total{job="$job"}[$__rate_interval]))', "{{kind}}"),),
        ),
        Panel(
            title="Input that came from a prompt cache, by model",
            says="A session that stays with its model keeps this high.",
            unit=Unit.SHARE,
            queries=(
                Query(
                    'sum by (model) (rate(plano_tokens_total{job="$job",kind="cached"}[$__rate_interval])) / '
                    'sum by (model) (rate(plano_tokens_total{job="$job",kind=~"input|cached|cache_write_.*"}'
                    "[$__rate_interval]) > 0)",
                    "{{model}}",
                ),
            ),
        ),
        Panel(
            title="Output by model",
            says="Tokens that models have written.",
            unit=Unit.NUMBER,
            stacked=True,
            queries=(
                Query(
                    'sum by (model) (rate(plano_tokens_total{job="$job",kind="output"}[$__rate_interval]))',
                    "{{model}}",
                ),
            ),
        ),
    ),
)

MONEY = Dashboard(
    uid="plano-money",
    title="Plano: the money",
    says="What answers cost, what prompt caches keep, and what is lost when a session leaves one.",
    rows=(_DAY, _COST, _TOKENS),
    since="now-24h",
)
