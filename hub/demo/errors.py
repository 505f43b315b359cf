"""What can go wrong with the demonstration city, named by what the caller does next.

DemoError
├── CityFolderOccupiedError     choose another folder: this one holds something else
├── CityMissingError            build the city first
├── DayOrderError               advance to the next day first
└── DemoProcessError            look at its log: a process of the demonstration ended, or does not answer
"""

from __future__ import annotations

from hub.errors import HubError


class DemoError(HubError):
    """Base of the demonstration city's errors."""

    code = "demo_error"
    en = "The demonstration city could not be made."
    zh = "无法生成演示城市。"


class CityFolderOccupiedError(DemoError):
    """The folder holds files that are no demonstration city; it is never overwritten."""

    code = "demo_folder_occupied"
    en = "`{folder}` holds files that are no demonstration city. Choose another folder, or empty this one."
    zh = "`{folder}` 中存在非演示城市的文件，请另选文件夹或先清空。"


class CityMissingError(DemoError):
    """There is no complete city in the folder."""

    code = "demo_city_missing"
    en = "`{folder}` holds no complete demonstration city. Build it first (`zhengtong demo`)."
    zh = "`{folder}` 中没有完整的演示城市，请先生成（`zhengtong demo`）。"


class DayOrderError(DemoError):
    """Days follow one another."""

    code = "demo_day_order"
    en = "The city stands at day {day}; day {wanted} cannot come next. Advance to day {next} first."
    zh = "城市当前为第 {day} 天，不能直接进入第 {wanted} 天，请先进入第 {next} 天。"


class DemoProcessError(DemoError):
    """A process that the demonstration started does not answer."""

    code = "demo_process"
    en = "The demonstration's process `{name}` does not answer. Its log says why: `{log}`."
    zh = "演示进程 `{name}` 没有应答，原因见其日志 `{log}`。"
