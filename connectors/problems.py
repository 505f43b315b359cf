"""The coded findings of the connectors, each with its sentence in English and Chinese.

Which error class bears a code, and so what the caller does next, is decided where it is raised (`connectors.errors`).
"""

from __future__ import annotations

from types import MappingProxyType

PROBLEMS: MappingProxyType[str, tuple[str, str]] = MappingProxyType(
    {
        # The source does not answer.
        "folder_missing": ("the folder is not there (is the share mounted?)", "目录不存在（共享盘是否已挂载？）"),
        "file_unreadable": ("cannot be opened ({detail})", "无法打开（{detail}）"),
        "database_missing": ("the database file is not there", "数据库文件不存在"),
        "database_unreadable": ("the database cannot be read ({detail})", "数据库无法读取（{detail}）"),
        "database_locked": ("the database stayed locked for {waited_s} s", "数据库持续锁定 {waited_s} 秒"),
        "no_answer": ("no answer after {attempts} attempts ({detail})", "尝试 {attempts} 次均无应答（{detail}）"),
        "server_error": (
            "answered HTTP {status} after {attempts} attempts",
            "尝试 {attempts} 次后仍返回 HTTP {status}",
        ),
        "throttled": (
            "asks us to wait {retry_after_s:g} s, longer than a read may wait",
            "要求等待 {retry_after_s:g} 秒，超过单次读取可等待的时长",
        ),
        "not_json": (
            "answered `{content_type}` instead of JSON (a log-in or maintenance page?)",
            "返回的是 `{content_type}` 而非 JSON（登录页或维护页？）",
        ),
        # What is there is not whole.
        "truncated": ("the file ends in the middle", "文件不完整，中途结束"),
        "cut_in_character": (
            "the file ends in the middle of a character (byte {offset})",
            "文件在一个字符中间结束（第 {offset} 字节）",
        ),
        "no_final_newline": (
            (
                "the last line has no line end, as if it were still being written (if its system never writes one, "
                "set final_newline=optional)"
            ),
            "最后一行没有换行符，可能尚未写完（如来源系统从不写末尾换行，请设置 final_newline=optional）",
        ),
        "changed_while_read": ("the file changed while it was being read", "读取期间文件发生变化"),
        "done_marker_missing": ("the marker `{marker}` is not there yet", "完成标记 `{marker}` 尚未出现"),
        "only_unfinished": (
            "only unfinished files ({found}) match `{pattern}`",
            "与 `{pattern}` 匹配的只有未完成文件（{found}）",
        ),
        "database_damaged": ("the database file is damaged or half-copied", "数据库文件损坏或复制未完成"),
        "page_truncated": ("page {page} ends in the middle of its JSON", "第 {page} 页 JSON 不完整"),
        "rows_missing": (
            "announced {total} rows but delivered {found}",
            "声明共 {total} 行，实际提供 {found} 行",
        ),
        "archive_damaged": ("the archive is damaged (member `{member}`)", "压缩包损坏（成员 `{member}`）"),
        # Encoding.
        "bad_bytes": (
            "byte {offset} is not valid `{encoding}`",
            "第 {offset} 字节不是有效的 `{encoding}` 编码",
        ),
        "other_encoding": (
            "declared as `{encoding}`, but its headings read as `{likely}`",
            "声明为 `{encoding}`，但表头应为 `{likely}`",
        ),
        "other_bom": (
            "declared as `{encoding}`, but begins with the byte order mark of `{likely}`",
            "声明为 `{encoding}`，但文件带有 `{likely}` 的字节顺序标记",
        ),
        "not_text": ("holds a text that is not valid Unicode", "含有不合法的 Unicode 文本"),
        # Shape.
        "columns_missing": (
            "no column {missing}; headings found: {found}; nearest: {guess}",
            "缺少列 {missing}；现有表头：{found}；最接近：{guess}",
        ),
        "header_missing": (
            "none of the columns {missing} is among its {count} headings (does the first line hold the headings?)",
            "其 {count} 个表头中没有 {missing} 中的任何一列（首行是表头吗？）",
        ),
        "heading_duplicate": ("the heading `{heading}` occurs more than once", "表头 `{heading}` 重复出现"),
        "empty_file": ("the file is empty, not even headings", "文件为空，连表头也没有"),
        "ragged_row": (
            "has {found} columns where the headings have {expected}",
            "该行有 {found} 列，表头为 {expected} 列",
        ),
        "bad_quoting": (
            "a quoted field is not closed, or goes on after its closing quote",
            "引号字段未闭合，或闭合引号之后仍有内容",
        ),
        "record_too_long": ("a record is longer than {limit_bytes} bytes", "单条记录超过 {limit_bytes} 字节"),
        "record_length": (
            "is {found} bytes long, the layout says {expected}",
            "该行 {found} 字节，版式规定为 {expected} 字节",
        ),
        "bad_json": ("is not valid JSON (column {column})", "不是有效的 JSON（第 {column} 列）"),
        "not_an_object": ("is not a JSON object", "不是 JSON 对象"),
        "json_name_duplicate": ("a JSON object names the same member twice", "JSON 对象中成员名重复"),
        "rows_not_found": ("the answer has no list of rows at `{path}`", "应答中 `{path}` 处没有数据列表"),
        "page_repeated": ("page {page} repeats page {earlier}", "第 {page} 页与第 {earlier} 页重复"),
        "too_many_pages": ("did not end within {limit} pages", "超过 {limit} 页仍未结束"),
        "page_too_large": ("page {page} is larger than {limit_bytes} bytes", "第 {page} 页超过 {limit_bytes} 字节"),
        "request_refused": ("refused our request with HTTP {status}", "以 HTTP {status} 拒绝请求"),
        "bad_xml": ("is not well-formed XML", "不是格式良好的 XML"),
        "element_repeated": ("a record repeats the element `{heading}`", "同一记录中元素 `{heading}` 重复"),
        "not_this_format": ("is not a {kind} file", "不是 {kind} 文件"),
        "cursor_mixed": (
            "the cursor column `{column}` mixes numbers and text",
            "游标列 `{column}` 混有数字与文本",
        ),
        "cursor_not_integer": (
            "the cursor column `{column}` holds something else than whole numbers",
            "游标列 `{column}` 含有非整数值",
        ),
        "cursor_needs_order": (
            "the cursor column `{column}` holds numbers of different lengths; set cursor_order=integer",
            "游标列 `{column}` 为长度不一的数字，请设置 cursor_order=integer",
        ),
        "numbers_expected": ("the stored cursor of `{column}` is not a number", "`{column}` 已存游标不是数字"),
        # No such object.
        "no_file": ("no file matches `{pattern}`", "没有与 `{pattern}` 匹配的文件"),
        "no_table": ("no table or view `{table}`", "没有表或视图 `{table}`"),
        "no_sheet": ("no sheet `{sheet}`; it has {found}", "没有工作表 `{sheet}`；现有 {found}"),
        "no_member": ("no member matches `{pattern}`", "压缩包中没有与 `{pattern}` 匹配的成员"),
        "not_found": ("answered HTTP {status}: no such path", "返回 HTTP {status}：路径不存在"),
        # Denied.
        "unauthorised": ("refused our token with HTTP {status}", "以 HTTP {status} 拒绝我方凭证"),
        "redirected": (
            "redirects elsewhere (HTTP {status}); the token was not sent on",
            "要求跳转（HTTP {status}）；未向跳转地址发送凭证",
        ),
        "encrypted": ("is protected by a password", "受密码保护"),
        "file_denied": ("we may not read it", "没有读取权限"),
        # Hostile.
        "xml_entities": ("declares a DTD or entities, which we never expand", "声明了 DTD 或实体，本系统一律不展开"),
        "archive_bomb": (
            "unpacks to more than {limit} (ratio or size), as a zip bomb does",
            "解压后超出限度（{limit}），疑似压缩炸弹",
        ),
        "record_bomb": ("a record holds more than {limit} elements or characters", "单条记录超过 {limit} 个元素或字符"),
        "member_duplicate": ("holds two members of the same name `{member}`", "含有两个同名成员 `{member}`"),
        # Our own settings and disk.
        "setting_missing": ("the setting `{name}` is missing", "缺少配置项 `{name}`"),
        "setting_invalid": ("the setting `{name}` must be {expected}", "配置项 `{name}` 应为 {expected}"),
        "kind_unknown": ("no kind of source `{kind}`; known: {known}", "未知来源类型 `{kind}`；可用：{known}"),
        "path_escapes": ("`{object}` leads out of the source's folder", "`{object}` 指向来源目录之外"),
        "secret_missing": ("the secret `{reference}` is not there", "凭证 `{reference}` 不存在"),
        "secret_literal": (
            "`{name}` must name a secret (env:NAME or file:PATH), not hold it",
            "`{name}` 应引用凭证（env:NAME 或 file:PATH），不得直接填写",
        ),
        "plain_http": (
            "a token may not travel over plain HTTP except to this machine",
            "除本机外，不得以明文 HTTP 传送凭证",
        ),
        "disk_full": ("the disk is full", "磁盘已满"),
        "cannot_write": ("cannot be written ({detail})", "无法写入（{detail}）"),
    }
)
