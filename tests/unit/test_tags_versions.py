"""The registry of versions, and what is told about a tag that is used, changed or withdrawn."""

from datetime import date
from pathlib import Path

import pytest
from tag_cases import HEAD, PROJECT, tag

from zhongtai.contracts import load_contracts
from zhongtai.errors import ConfigurationError
from zhongtai.settings import Settings, load_settings
from zhongtai.tags import load_tags, stale_models, write_models
from zhongtai.tags.audiences import load_audiences
from zhongtai.tags.facts import FACTS, PROFILE
from zhongtai.tags.lineage import PROFILE as PROFILE_FACT
from zhongtai.tags.lineage import columns_read, origins_of
from zhongtai.tags.uses import users_of
from zhongtai.tags.versions import REGISTRY, load_versions, unregistered

FEW = tag("few_views", "rule", "boolean", "rule: {did: events, times: {at_most: 3}}")
READER = tag("calm", "composite", "boolean", "rule: {tag: few_views, is: true}")
DAY = date(2026, 3, 1)


def project(folder: Path, declarations: str) -> Settings:
    seeds = folder / "seeds" / "tags"
    seeds.mkdir(parents=True, exist_ok=True)
    (seeds / "trial.yml").write_text(HEAD + declarations, "utf-8")
    return load_settings(project_dir=folder)


def registered(settings: Settings) -> list[tuple[str, int, str, str]]:
    return [
        (row.tag_id, row.version, row.status, row.because)
        for rows in load_versions(settings.project_dir).values()
        for row in rows
    ]


def test_every_published_tag_of_the_repository_is_registered() -> None:
    tags, versions = load_tags(PROJECT), load_versions(PROJECT)
    assert len(versions) >= 30
    assert unregistered(tags, versions) == []


def test_a_change_of_meaning_needs_author_and_reason_and_is_never_forgotten(tmp_path: Path) -> None:
    settings = project(tmp_path, FEW)
    with pytest.raises(ConfigurationError, match=r"does not know few_views \(version 1") as error:
        write_models(settings)
    assert "--author NAME --because REASON" in error.value.hint
    assert not (tmp_path / "dbt_project").exists(), "nothing is written"
    write_models(settings, "李维", "春季活动", DAY)
    assert write_models(settings) == []
    settings = project(tmp_path, FEW.replace("at_most: 3", "at_most: 4"))
    assert tmp_path / REGISTRY in stale_models(settings)
    with pytest.raises(ConfigurationError, match=r"few_views \(version 2, published"):
        write_models(settings)
    write_models(settings, "王芳", "门槛放宽", DAY)
    assert registered(settings) == [
        ("few_views", 1, "published", "春季活动"),
        ("few_views", 2, "published", "门槛放宽"),
    ]
    listed = (tmp_path / "dbt_project/models/marts/metrics/dim_tags.sql").read_text("utf-8")
    assert "2, '王芳', '门槛放宽', '2026-03-01'" in listed


def test_words_about_a_tag_need_no_new_version(tmp_path: Path) -> None:
    write_models(project(tmp_path, FEW), "李维", "首发", DAY)
    reworded = FEW.replace("说明。", "另一种说法。").replace("zh: 名", "zh: 别名")
    changed = write_models(project(tmp_path, reworded))
    assert "dim_tags.sql" in {file.name for file in changed}


def test_a_tag_whose_parent_changes_has_a_new_version_too(tmp_path: Path) -> None:
    write_models(project(tmp_path, FEW + READER), "李维", "首发", DAY)
    changed = FEW.replace("at_most: 3", "at_most: 4") + READER
    with pytest.raises(ConfigurationError, match="calm"):
        write_models(project(tmp_path, changed))


def test_a_blank_author_or_reason_is_none(tmp_path: Path) -> None:
    for author, because in (("  ", "首发"), ("李维", "")):
        with pytest.raises(ConfigurationError, match="both not blank"):
            write_models(project(tmp_path, FEW), author, because)


@pytest.mark.parametrize("status", ["inactive", "draft", "in_review", "retired"])
def test_a_tag_that_is_no_longer_published_is_registered_so(tmp_path: Path, status: str) -> None:
    write_models(project(tmp_path, FEW), "李维", "首发", DAY)
    other = tag("other", "rule", "boolean", "rule: {did: events}")
    withdrawn = FEW.replace("status: published", f"status: {status}")
    settings = project(tmp_path, withdrawn + other)
    with pytest.raises(ConfigurationError, match="few_views"):
        write_models(settings)
    write_models(settings, "李维", "不再需要", DAY)
    expected = "retired" if status == "retired" else "inactive"
    assert ("few_views", 1, expected, "不再需要") in registered(settings)
    wide = (tmp_path / "dbt_project/models/marts/profiles/dim_user_tags.sql").read_text("utf-8")
    assert "few_views" not in wide


def test_the_id_of_a_retired_tag_is_never_given_again(tmp_path: Path) -> None:
    other = tag("other", "rule", "boolean", "rule: {did: events}")
    write_models(project(tmp_path, FEW + other), "李维", "首发", DAY)
    # its declaration removed: retired as well
    write_models(project(tmp_path, other), "李维", "不再需要", DAY)
    with pytest.raises(ConfigurationError, match=r"trial\.yml:5: .*ids are never reused"):
        write_models(project(tmp_path, FEW + other), "李维", "想再用", DAY)


def test_a_row_of_the_registry_that_is_none_is_told_by_line(tmp_path: Path) -> None:
    settings = project(tmp_path, FEW)
    write_models(settings, "李维", "首发", DAY)
    file = tmp_path / REGISTRY
    text = file.read_text("utf-8")
    wrong = {
        text.replace("tag_id,", "id,"): "csv:1: expected the columns",
        text.replace("published", "live"): "csv:2: status is 'live'",
        text + "few_views,4,abc,published,李维,再改,2026-03-02\n": "csv:3: few_views has version 4",
        text.replace("首发", ""): "csv:2: expected tag_id,version",
    }
    for broken, told in wrong.items():
        file.write_text(broken, "utf-8")
        with pytest.raises(ConfigurationError, match=told):
            write_models(settings)


def test_a_tag_in_use_cannot_be_withdrawn_and_its_users_are_named(tmp_path: Path) -> None:
    other = tag("other", "rule", "boolean", "rule: {did: events}")
    settings = project(tmp_path, FEW + other)
    write_models(settings, "李维", "首发", DAY)
    users = {
        "seeds/audiences/spring.yml": "name: spring\nwhere: {tag: few_views, is: true}\n",
        "dbt_project/models/marts/profiles/fct_next_actions.sql": (
            "-- few_views is not needed here\nselect one_id from {{ ref('dim_user_tags') }}\n"
            "where few_views\n"
        ),
        "expectations/published/dim_user_tags.yml": "where: few_views is null\n",
        "seeds/metric_catalogue.csv": "metric,table_name,column_name\nusers,t,few_views\n",
    }
    for path, text in users.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    settings = project(tmp_path, FEW.replace("published", "inactive") + other)
    with pytest.raises(ConfigurationError) as error:
        write_models(settings, "李维", "不再需要", DAY)
    for told in (
        "tag few_views cannot become inactive",
        "audience spring (seeds/audiences/spring.yml:2)",
        "model fct_next_actions (dbt_project/models/marts/profiles/fct_next_actions.sql:3)",
        "check dim_user_tags (expectations/published/dim_user_tags.yml:1)",
        "metric users (seeds/metric_catalogue.csv:2)",
    ):
        assert told in str(error.value)
    assert registered(settings)[0] == ("few_views", 1, "published", "首发")
    for path in users:
        (tmp_path / path).unlink()
    write_models(settings, "李维", "不再需要", DAY)
    assert registered(settings)[1][2] == "inactive"


def test_a_tag_that_another_reads_cannot_be_withdrawn(tmp_path: Path) -> None:
    settings = project(tmp_path, FEW + READER)
    write_models(settings, "李维", "首发", DAY)
    found = users_of(tmp_path, load_tags(tmp_path), "few_views")
    assert [(use.kind, use.name) for use in found] == [("tag", "calm")]
    withdrawn = project(tmp_path, FEW.replace("published", "inactive") + READER)
    with pytest.raises(ConfigurationError, match="calm reads few_views, which is inactive"):
        write_models(withdrawn, "李维", "不再需要", DAY)


def test_a_retired_audience_uses_no_tag_and_may_name_one_that_is_gone(tmp_path: Path) -> None:
    other = tag("other", "rule", "boolean", "rule: {did: events}")
    settings = project(tmp_path, FEW + other)
    file = tmp_path / "seeds" / "audiences" / "spring.yml"
    file.parent.mkdir(parents=True)
    head = "group: spring\ntitle: 春\nowner: 李维\naudiences:\n"
    audience = (
        "  - id: {id}\n    name: {{zh: 人, en: People}}\n    description: 说明。\n"
        "    purpose: marketing\n    condition: few_views\n    destination: 短信\n"
        "    identifier: mobile\n    form: clear\n    status: {status}\n"
    )
    retired = audience.format(id="old_people", status="retired")
    file.write_text(head + retired + audience.format(id="people", status="inactive"), "utf-8")
    used = users_of(tmp_path, load_tags(tmp_path), "few_views")
    assert [(use.name, use.place) for use in used] == [("people", "seeds/audiences/spring.yml:18")]
    file.write_text(head + retired, "utf-8")
    write_models(settings, "李维", "首发", DAY)
    withdrawn = project(tmp_path, FEW.replace("published", "inactive") + other)
    write_models(withdrawn, "李维", "不再需要", DAY)
    assert load_audiences(tmp_path)["old_people"].tag_ids == ()


def test_a_word_that_only_contains_the_id_is_no_use(tmp_path: Path) -> None:
    settings = project(tmp_path, FEW)
    file = tmp_path / "seeds" / "audiences" / "spring.yml"
    file.parent.mkdir(parents=True)
    file.write_text("where: {tag: few_views_2, is: true}\n# few_views\n", "utf-8")
    assert users_of(settings.project_dir, load_tags(tmp_path), "few_views") == ()


def test_every_column_that_a_rule_may_read_comes_from_columns_that_contracts_have() -> None:
    delivered = {
        f"{name}.{column.name}"
        for name, contract in load_contracts(PROJECT).items()
        for column in contract.columns
    }
    looked_at = 0
    for fact in FACTS.values():
        for column in (fact.time, *fact.types):
            for origin in origins_of(fact.name, column, PROJECT):
                looked_at += 1
                assert origin in delivered or origin.startswith("seeds."), (fact.name, column)
    assert looked_at >= 120
    for name in PROFILE:
        for origin in origins_of(PROFILE_FACT, name, PROJECT):
            looked_at += 1
            assert origin in delivered or origin == f"profile.{name}"
    assert looked_at >= 180


def test_every_published_tag_says_which_source_columns_it_reads() -> None:
    tags = load_tags(PROJECT)
    without = {t.kind for t in tags.published if not columns_read(t, tags)}
    assert without <= {"control"}, "chance reads nothing"
    read = columns_read(tags["contactable_by_both"], tags)
    assert "crm.wecom_contacts.deleted_at" in read, "what its parents read counts"
    assert "dms.customers.mobile" in read
    assert "dms.orders.cancelled_at" in columns_read(tags["undecided_lead"], tags)
