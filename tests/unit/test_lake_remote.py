"""A raw zone on S3 serves every step, and one that is not there is told and made nowhere."""

import sys
from dataclasses import replace
from datetime import UTC, datetime

import boto3
import pytest
from remote_cases import BUCKET, Site
from s3fs import S3FileSystem
from test_landing_addresses import denying_server
from test_landing_remote import event
from test_retention_remote import lead

from zhongtai import retention
from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.doctor import EXAMINATIONS, Patient
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.ingest import drain
from zhongtai.runs import Run, start_run
from zhongtai.settings import Settings
from zhongtai.warehouse import open_build, prepare

from landing_cases import Landing

AS_OF = datetime(2026, 3, 10, 4, tzinfo=UTC)


@pytest.fixture
def away(s3: Site, settings: Settings, landing: Landing) -> Settings:
    """A home whose raw zone is on S3, and one delivery for it."""
    rows = [lead("L-OLD", "2023-03-31 23:59:59"), lead("L-NEW", "2026-03-02 10:00:00")]
    landing.deliver("crm.leads", rows)
    return settings.model_copy(update={"lake": f"{s3.url}/lake"})


def keys(settings: Settings, contracts: Contracts, run: Run) -> list[str]:
    prepare(settings, contracts, run)
    with open_build(settings) as build:
        found = build.execute('select "线索唯一ID" from raw.crm__leads order by 1').fetchall()
    return [key for (key,) in found]


def objects(settings: Settings) -> list[str]:
    prefix = settings.lake.removeprefix(f"s3://{BUCKET}/")
    listed = boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return [one["Key"] for one in listed.get("Contents", [])]


def test_rows_come_and_go_in_a_raw_zone_on_s3(
    away: Settings, contracts: Contracts, run: Run
) -> None:
    drain(away, contracts, run)
    assert keys(away, contracts, run) == ["L-NEW", "L-OLD"]
    (before,) = objects(away)
    expired = retention.remove_due(away, contracts, replace(run, as_of=AS_OF), lambda _: None)
    assert expired.counts == {"crm.leads": (1, 0, 0)}
    assert keys(away, contracts, run) == ["L-NEW"]
    (after,) = objects(away)
    assert after != before
    with connect(away, autocommit=True) as connection:
        assert EXAMINATIONS["raw zone"](Patient(away, contracts, connection)) == ("1 parts", [])


def test_keys_that_came_before_are_known_in_every_delivery_of_a_drain(
    away: Settings, contracts: Contracts, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["zhongtai.ingest.drain"], "_CHUNK_FILES", 1)
    for round_ in range(2):
        for part in range(3):
            name = f"{round_}-{part}.jsonl"
            landing.deliver("app.events", [event(part), event(10 * round_ + part)], name)
        with connect(away) as connection:
            drain(away, contracts, start_run(connection, "test"))
    with connect(away) as connection:
        counted = connection.execute(
            "select sum(rows_loaded), sum(rows_duplicate) from ledger.deliveries"
            " where entity = 'events'"
        ).fetchone()
    assert counted == (6, 6)


def test_a_bucket_that_does_not_exist_is_told_and_not_made(
    away: Settings, contracts: Contracts, run: Run
) -> None:
    slip = away.model_copy(update={"lake": "s3://exprots/lake"})
    with pytest.raises(ConfigurationError, match="the raw zone s3://exprots/lake does not exist"):
        drain(slip, contracts, run)
    made = boto3.client("s3").list_buckets()["Buckets"]
    assert "exprots" not in [bucket["Name"] for bucket in made]
    drain(away, contracts, run)
    assert keys(away, contracts, run) == ["L-NEW", "L-OLD"]


def test_a_store_that_refuses_us_or_does_not_answer_is_told(
    away: Settings, contracts: Contracts, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with denying_server() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        S3FileSystem.clear_instance_cache()
        with pytest.raises(ConfigurationError, match=r"the raw zone .* refuses us: access denied"):
            drain(away, contracts, run)
    S3FileSystem.clear_instance_cache()
    with pytest.raises(ZhongtaiError, match=r"the raw zone .* cannot be reached") as raised:
        drain(away, contracts, run)
    assert raised.value.exit_code == 1


def test_a_protocol_that_nothing_opens_is_told(
    away: Settings, contracts: Contracts, run: Run
) -> None:
    for url, told in (("foo://x/lake", "is no URL"), ("gs://bucket/lake", "is not installed")):
        with pytest.raises(ConfigurationError, match=told) as raised:
            drain(away.model_copy(update={"lake": url}), contracts, run)
        assert str(raised.value).startswith(f"the raw zone {url} ")
