"""The page of the metrics is written from YAML, the comment above the query, and seeds."""

from pathlib import Path

from zhongtai.metric_pages import metric_page, write_metric_page

MODEL = """\
models:
  - name: metrics_visits_daily
    description: Visits by
      day.
    columns:
      - {name: date, data_type: date, description: Local date (日期)}
      - name: visits
        data_type: bigint
        description: "Visits | receptions"
        config: {meta: {unit: visits, label: 到店}}
      - {name: back_rate_num, data_type: bigint, description: "Numerator of back_rate: returns"}
      - {name: back_rate_den, data_type: bigint, description: "Denominator of back_rate: visits"}
      - {name: back_rate, data_type: double, description: Share that came back}
"""
QUERY = "-- Grain: one row per local\n-- date.\n-- Why: who comes back.\nselect 1\n"


def write_project(root: Path) -> None:
    models = root / "dbt_project" / "models" / "marts" / "metrics"
    for folder in (models, root / "seeds", root / "docs"):
        folder.mkdir(parents=True)
    (models / "metrics_visits_daily.yml").write_text(MODEL, "utf-8")
    (models / "metrics_visits_daily.sql").write_text(QUERY, "utf-8")
    (root / "seeds" / "published_tables.csv").write_text(
        "store,table_name,question\nmetrics,metrics_visits_daily,Who comes?\n", "utf-8"
    )
    (root / "seeds" / "metric_catalogue.csv").write_text(
        "table_name,column_name,unit,owner\nmetrics_visits_daily,back_rate,ratio,stores\n", "utf-8"
    )


def test_a_ratio_is_one_line_with_its_two_parts(tmp_path: Path) -> None:
    write_project(tmp_path)
    lines = metric_page(tmp_path).splitlines()
    assert lines[-3:] == [
        "| `date` | 日期 |  | Local date (日期) |",
        "| `visits` | 到店 | visits | Visits \\| receptions |",
        "| `back_rate` |  | ratio | Share that came back<br>`_num`: returns<br>`_den`: visits |",
    ]


def test_a_table_says_its_grain_question_purpose_and_owner(tmp_path: Path) -> None:
    write_project(tmp_path)
    page = metric_page(tmp_path)
    link = "[metrics_visits_daily](#metrics_visits_daily)"
    assert f"| {link} | local date | Who comes? |" in page
    head = "## metrics_visits_daily\n\nVisits by day.\n\nWhy: who comes back.\n\nOwner: stores.\n"
    assert head in page


def test_a_page_that_is_up_to_date_is_not_written_again(tmp_path: Path) -> None:
    write_project(tmp_path)
    page = tmp_path / "docs" / "metrics.md"
    assert write_metric_page(tmp_path) == [page]
    assert write_metric_page(tmp_path) == []
    page.write_text("edited", "utf-8")
    assert write_metric_page(tmp_path) == [page]
