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
        "outside_hours": (
            "may be read only at {hours} ({zone}); opens at {opens}",
            "只可在 {hours}（{zone}）读取；{opens} 开放",
        ),
        "too_slow": (
            "did not finish an answer within {limit_s:g} s",
            "单次应答超过 {limit_s:g} 秒仍未结束",
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
        "too_many_bytes": (
            "its pages together are larger than {limit_bytes} bytes",
            "各页合计超过 {limit_bytes} 字节",
        ),
        "json_not_number": (
            "holds `{word}`, which is no JSON; have it sent as null",
            "含有 `{word}`，不是合法 JSON；请改为 null",
        ),
        "token_not_text": ("what stands at `{path}` is no token or link", "`{path}` 处不是游标或链接"),
        "token_answer": (
            "its token endpoint did not answer with a bearer token (RFC 6749 5.1)",
            "令牌端点未返回 Bearer 令牌（RFC 6749 5.1）",
        ),
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
        "token_refused": (
            "refused us an access token with HTTP {status} ({reason})",
            "以 HTTP {status} 拒绝发放访问令牌（{reason}）",
        ),
        "certificate": ("shows a certificate that we cannot trust", "出示的证书不受信任"),
        "link_elsewhere": (
            "names a next page elsewhere; our credentials were not sent there",
            "下一页指向其他来源；未向其发送凭证",
        ),
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
        "content_coding": (
            "packs its answer in a way that we did not ask for and cannot bound",
            "应答采用了未请求且无法限量解压的编码",
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
        "secret_inside": (
            "the setting `{name}` holds a password; take it out and name it by a reference of its own",
            "配置项 `{name}` 中含有口令；请移除并另以引用方式提供",
        ),
        "secret_scheme": (
            "no secrets are kept under `{scheme}:`; known: {known}",
            "没有 `{scheme}:` 类凭证；可用：{known}",
        ),
        "secret_unreadable": (
            "the secret `{reference}` could not be looked up ({detail})",
            "凭证 `{reference}` 无法取得（{detail}）",
        ),
        "plain_http": (
            "credentials may not travel over plain HTTP except to this machine (plain_http=allowed)",
            "除本机外，不得以明文 HTTP 传送凭证（plain_http=allowed）",
        ),
        "secret_unusable": (
            "the secret of `{name}` must be {expected}",
            "`{name}` 所引用的凭证应为 {expected}",
        ),
        "no_sm3": (
            "`{name}` asks for SM3, which this machine's OpenSSL does not offer",
            "`{name}` 要求 SM3，但本机 OpenSSL 不提供",
        ),
        "disk_full": ("the disk is full", "磁盘已满"),
        "cannot_write": ("cannot be written ({detail})", "无法写入（{detail}）"),
        # Changes of a PostgreSQL database (postgresql-cdc).
        "cdc_message": (
            "sends a change that is not as pgoutput (protocol 1) writes it",
            "发来的变更不符合 pgoutput（协议 1）格式",
        ),
        "cdc_key": (
            (
                "deletes tell {identity}, which does not hold the key {key}: give the table that primary key, "
                "or ALTER TABLE … REPLICA IDENTITY"
            ),
            "删除记录只含 {identity}，不含主键 {key}：请为该表建立此主键，或执行 ALTER TABLE … REPLICA IDENTITY",
        ),
        "cdc_table": (
            "is not a plain table; a partitioned one must be published by its root (publish_via_partition_root)",
            "不是普通表；分区表须以根表发布（publish_via_partition_root）",
        ),
        "not_published": (
            "the publication `{publication}` does not hold the table with all its rows and all operations",
            "发布 `{publication}` 未包含该表的全部行与全部操作",
        ),
        "no_slot": (
            "no replication slot `{slot}` (create=yes has us make it)",
            "没有复制槽 `{slot}`（create=yes 可由本系统建立）",
        ),
        "no_publication": (
            "no publication `{publication}` (create=yes has us make it)",
            "没有发布 `{publication}`（create=yes 可由本系统建立）",
        ),
        "slot_busy": ("another reader holds the replication slot `{slot}`", "复制槽 `{slot}` 正被其他读取者占用"),
        "slot_foreign": (
            "the replication slot `{slot}` is not a pgoutput slot of this database",
            "复制槽 `{slot}` 不是本库的 pgoutput 复制槽",
        ),
        "slots_full": (
            "all replication slots are in use (max_replication_slots)",
            "复制槽已用尽（max_replication_slots）",
        ),
        "wal_level": (
            "has wal_level={level}; changes are read with `logical`",
            "wal_level 为 {level}；读取变更须为 logical",
        ),
        "replication_denied": (
            "our user may not do that (it needs REPLICATION, and to create a publication it must own the table)",
            "我方账号无此权限（须有 REPLICATION；建立发布须为表的属主）",
        ),
        "transactions_open": (
            "transactions that began before ours did not end within {waited_s:g} s",
            "先于本次读取的事务在 {waited_s:g} 秒内未结束",
        ),
        "slot_gone": (
            "its replication slot `{slot}` is gone, and with it changes",
            "复制槽 `{slot}` 已不存在，其间变更已丢失",
        ),
        "slot_lost": (
            "the server gave up the log that the slot `{slot}` still needed (max_slot_wal_keep_size)",
            "服务器已清除复制槽 `{slot}` 尚需的日志（max_slot_wal_keep_size）",
        ),
        "slot_elsewhere": (
            "the slot `{slot}` stands beyond what we committed: another reader took from it, or our table is old",
            "复制槽 `{slot}` 的位置超出我方已提交位置：变更被他人取走，或我方表为旧版本",
        ),
        "server_other": (
            "is another server than the cursor's, one restored from a backup, or a standby that took over",
            "与游标所属服务器不同、由备份恢复，或已由备机接替",
        ),
        "position_unfit": ("the stored cursor is no position in a log", "已存游标不是日志位置"),
        "table_truncated": (
            "the table was truncated, which does not tell the rows that went",
            "该表被清空（TRUNCATE），无法得知被删除的行",
        ),
        # SQL databases.
        "cannot_connect": ("no connection to the database server", "无法连接数据库服务器"),
        "too_many_sessions": ("the server has no connection left for us", "服务器已无可用连接"),
        "server_starting": ("the server is starting up or shutting down", "服务器正在启动或关闭"),
        "connection_lost": ("the connection broke while reading", "读取期间连接中断"),
        "statement_timeout": (
            "a query took longer than {waited_s:g} s and was given up (statement_timeout_s)",
            "查询超过 {waited_s:g} 秒，已放弃（statement_timeout_s）",
        ),
        "table_changed": ("the table was changed while it was being read", "读取期间表结构发生变化"),
        "login_refused": ("refused our log-in (user, password or address)", "拒绝我方登录（用户、口令或来源地址）"),
        "no_database": ("the server has no such database", "服务器上没有该数据库"),
        "no_trusted_tls": (
            "no TLS connection that we may trust (sslmode={sslmode})",
            "无法建立可信的 TLS 连接（sslmode={sslmode}）",
        ),
        "reading_writes": (
            "reading it would write to the source (a function or rule does), which we refuse",
            "读取该对象会写入来源（函数或规则所致），已拒绝",
        ),
        "not_read_only": ("the session could not be made read-only", "无法将会话设为只读"),
        "cursor_unfit": (
            "the stored cursor, the window or the lag does not fit the cursor column's type ({detail})",
            "已存游标、时间窗或回看时长与游标列类型不符（{detail}）",
        ),
        "key_not_unique": (
            "the key {columns} by which it is to be read in chunks is not unique",
            "用于分块读取的主键 {columns} 不唯一",
        ),
        "rows_too_wide": (
            "its rows are too wide to be written with {limit_mb} MB of memory",
            "单行数据过宽，{limit_mb} MB 内存不足以写出",
        ),
        "extension_missing": ("the package `{package}` is not installed", "未安装软件包 `{package}`"),
        # Files elsewhere, packed files, DBF.
        "unreachable": ("does not answer as it should ({detail})", "未正常应答（{detail}）"),
        "host_key_unknown": (
            "shows a host key that known_hosts does not list ({fingerprint})",
            "出示的主机密钥未列入 known_hosts（{fingerprint}）",
        ),
        "host_key_changed": (
            (
                "shows another host key than known_hosts lists ({fingerprint}): the server was set up anew, or "
                "somebody stands in between; nothing was sent"
            ),
            "出示的主机密钥与 known_hosts 不符（{fingerprint}）：服务器可能已重装，或有人居中窃听；未发送任何内容",
        ),
        "no_bucket": ("no bucket `{bucket}`", "没有存储桶 `{bucket}`"),
        "store_refused": ("the object store refused us ({code})", "对象存储拒绝访问（{code}）"),
        "fetched_differs": ("what arrived is not what the store holds", "收到的内容与存储中的不一致"),
        "too_many_files": ("holds more than {limit} files or levels of folders", "文件数或目录层数超过 {limit}"),
        "gzip_damaged": (
            "the gzip file is damaged (its checksum does not hold, or something else follows it)",
            "gzip 文件损坏（校验不符，或其后另有内容）",
        ),
        "memo_column": (
            "`{column}` is a memo, which is kept beside the table and is not read",
            "`{column}` 为备注字段，内容存于表外文件，本系统不读取",
        ),
        "field_type": (
            "the field `{column}` is of type `{type}`, which cannot be read here",
            "字段 `{column}` 的类型 `{type}` 在此无法读取",
        ),
        "record_mark": ("is no record: the file is damaged", "不是有效记录：文件已损坏"),
        "code_page_doubtful": (
            (
                "byte {offset} is not ASCII, and the table names a code page of western Europe, which is often wrong: "
                "declare the encoding"
            ),
            "第 {offset} 字节不是 ASCII，而表中标注的西欧代码页常有错误：请声明编码",
        ),
        # Databases through drivers of others; exchange tables.
        "value_unreadable": (
            "holds a value that its driver cannot read ({detail})",
            "含有驱动无法读取的值（{detail}）",
        ),
        "batch_missing": ("{rows} rows have no batch number", "{rows} 行没有批次号"),
        "batch_unfinished": (
            "batch `{batch}` is still being written",
            "批次 `{batch}` 尚未写完",
        ),
    }
)
