"""The time, weekdays, time zones, timestamps."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any

from sparrow import clock
from sparrow.tools.builtin import Provider, label
from sparrow.tools.types import Parameter, Tool, Use, failure

FORMAT = "%Y-%m-%d %H:%M:%S"


def _zone(name: str | None) -> tzinfo:
    from zoneinfo import ZoneInfo

    if not name or name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise failure(f"Unknown time zone: {name}") from None


def _read(text: Any) -> datetime:
    try:
        return datetime.strptime(str(text), FORMAT)
    except ValueError:
        raise failure(f"The time must look like {FORMAT}.") from None


def _now(values: dict[str, Any], use: Use) -> str:
    moment = datetime.fromtimestamp(clock.now(), _zone(values.get("timezone")))
    return moment.strftime(values.get("format") or f"{FORMAT} %Z")


def _weekday(values: dict[str, Any], use: Use) -> str:
    try:
        day = datetime(int(values["year"]), int(values["month"]), int(values["day"]))
        return f"{day.strftime('%B')} {day.day}, {day.year} is {day.strftime('%A')}."
    except (ValueError, TypeError, KeyError, OverflowError):
        raise failure("There is no such day.") from None


def _convert(values: dict[str, Any], use: Use) -> str:
    moment = _read(values["current_time"]).replace(tzinfo=_zone(values.get("current_timezone")))
    try:
        return moment.astimezone(_zone(values.get("target_timezone"))).strftime(FORMAT)
    except OverflowError:
        raise failure("There is no such time in that zone.") from None


def _to_timestamp(values: dict[str, Any], use: Use) -> str:
    return str(int(_read(values["localtime"]).replace(tzinfo=_zone(values.get("timezone"))).timestamp()))


def _to_local(values: dict[str, Any], use: Use) -> str:
    try:
        return datetime.fromtimestamp(int(values["timestamp"]), _zone(values.get("timezone"))).strftime(FORMAT)
    except (ValueError, TypeError, OverflowError, OSError):
        raise failure("The timestamp must be seconds since 1970.") from None


_ZONE = Parameter("timezone", "IANA name of the time zone, such as Asia/Shanghai", required=False, default="UTC",
                  form=True, zh="时区（IANA 名称，如 Asia/Shanghai）")
PROVIDERS = (Provider("time", label("Time", "时间"), label("Time, weekdays, time zones.", "时间、星期、时区。"), (
    Tool("current_time", label("Current time", "当前时间"), "Tells the current date and time.", (
        Parameter("format", "strftime format", required=False, default=f"{FORMAT} %Z", form=True, zh="strftime 格式"),
        _ZONE), _now),
    Tool("weekday", label("Weekday Calculator", "星期几计算器"), "Tells which weekday a date is.", (
        Parameter("year", "Year", "number", zh="年"), Parameter("month", "Month, 1 to 12", "number", zh="月"),
        Parameter("day", "Day of the month", "number", zh="日")), _weekday),
    Tool("timezone_conversion", label("Convert time zone", "时区转换"), "Converts a time between time zones.", (
        Parameter("current_time", f"The time, as {FORMAT}", zh="时间"),
        Parameter("current_timezone", "Its time zone", zh="原时区"),
        Parameter("target_timezone", "The time zone wanted", zh="目标时区")), _convert),
    Tool("localtime_to_timestamp", label("Time to timestamp", "时间转时间戳"), "Turns a local time into a timestamp.", (
        Parameter("localtime", f"The time, as {FORMAT}", zh="时间"), _ZONE), _to_timestamp),
    Tool("timestamp_to_localtime", label("Timestamp to time", "时间戳转时间"), "Turns a timestamp into a local time.", (
        Parameter("timestamp", "Seconds since 1970", "number", zh="时间戳（秒）"), _ZONE), _to_local),
)),)
