"""The coded findings of judging an e-material in English and Chinese, merged into `licence.findings`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MATERIAL_FINDINGS: Mapping[str, tuple[str, str]] = {
    "material_bundle_malformed": (
        "The record of the material is malformed in `{part}`.",
        "材料记录的 `{part}` 格式错误。",
    ),
    "material_file_same": ("The file is the one that was taken in.", "文件与入库时一致。"),
    "material_logged": (
        "Entry {index} of log {origin} tells that it was taken in, on {at}.",
        "日志 {origin} 第 {index} 号条目记载了其入库，时间 {at}。",
    ),
    "material_entry_in_log": ("The entry is in the log.", "该条目已记入日志。"),
    "material_record_same": (
        "`{unit}` took it in for `{matter}`; original seen: {seen}.",
        "由`{unit}`为`{matter}`收取；核对原件：{seen}。",
    ),
    "material_standing": (
        "Whoever handed this record out knew of no declaration that it is void.",
        "提供本记录时，未作废。",
    ),
    "material_void_logged": ("It was declared void on {at}.", "已于 {at} 作废。"),
    "material_in_time": ("It is valid from {starts} until {ends}.", "有效期 {starts} 至 {ends}。"),
    "material_unsigned": ("The file bears no electronic signature.", "文件不含电子签名。"),
    "material_signed": ("The signatures in the file hold.", "文件中的电子签名有效。"),
    "material_signatures_wrong": (
        "A signature in the file does not hold ({code}).",
        "文件中的电子签名无效（{code}）。",
    ),
    "material_signatures_unknown": (
        "The file is signed by somebody whom this trust folder does not know ({code}).",
        "文件的签名人不在本信任目录之内（{code}）。",
    ),
}
