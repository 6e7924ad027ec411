"""From when on rows may still be kept."""

from datetime import datetime, timedelta, timezone

from zhongtai.contracts.model import Retention

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")


def cutoff(retention: Retention, as_of: datetime) -> datetime:
    """Rows of before this instant (aware) must be gone: the begin of a month in China.

    A row is never kept longer than its period, and leaves up to a month early: so files are written
    anew once a month and not every day.
    """
    oldest = (as_of - timedelta(days=retention.days)).astimezone(CHINA)
    month = oldest.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if month == oldest:
        return month
    return (month + timedelta(days=32)).replace(day=1)
