"""The coded findings of fonts and OFD documents.

`licence.findings` holds them with the others; which applies is decided where the code is raised.
"""

from __future__ import annotations

from typing import Final

OFD_FINDINGS: Final[dict[str, tuple[str, str]]] = {
    # Fonts.
    "glyph_missing": (
        "The font `{font}` has no glyph for {codepoints}. Issue with a font that holds them; never leave them out.",
        "字库`{font}`缺少字符 {codepoints} 的字形。请更换含有这些字符的字库后签发，不得省略。",
    ),
    "glyph_missing_in_field": (
        "Field `{field}`: the font `{font}` has no glyph for {codepoints}. Use one that holds them; leave none out.",
        "信息项“{field}”中：字库`{font}`缺少字符 {codepoints} 的字形。请更换含有这些字符的字库，不得省略。",
    ),
    "template_unknown": (
        "There is no document template `{template}`. There are: {templates}.",
        "没有文书模板`{template}`。现有：{templates}。",
    ),
    "picture_resolution": (
        "A picture of a page has 1 to {limit} dots per inch.",
        "页面图像的分辨率应为每英寸 1 至 {limit} 点。",
    ),
    "font_unreadable": (
        "`{path}` cannot be read as an OpenType font of PostScript outlines ({detail}). Give another font file.",
        "`{path}`无法作为 PostScript 轮廓的 OpenType 字库读取（{detail}）。请更换字库文件。",
    ),
    "font_face_missing": (
        "The font file has no face `{face}`; it has: {faces}. Name one of them.",
        "字库文件中没有字面`{face}`，现有：{faces}。请选用其中之一。",
    ),
    "font_package_missing": (
        "The package with the font is not installed. Install `zhengtong[documents]` or name a font file.",
        "未安装字库软件包。请安装 `zhengtong[documents]`，或指定字库文件。",
    ),
    # The container.
    "ofd_not_zip": ("The file is no OFD: it is not a whole ZIP container.", "文件不是 OFD：不是完整的 ZIP 容器。"),
    "ofd_zip_gap": (
        "The OFD container holds data outside its files, or files that overlap (byte {place}).",
        "OFD 容器在文件之外含有数据，或文件相互重叠（第 {place} 字节）。",
    ),
    "ofd_zip_entry": (
        "A file in the OFD container is stored in a way that is not allowed ({detail}).",
        "OFD 容器中有文件的存储方式不被允许（{detail}）。",
    ),
    "ofd_too_many_entries": (
        "The OFD container holds no file or over {limit}.",
        "OFD 容器中没有文件或超过 {limit} 个。",
    ),
    "ofd_expands_too_far": ("The OFD expands to more than {limit} bytes.", "OFD 展开后超过 {limit} 字节。"),
    "ofd_bad_path": (
        "A path in the OFD leads out of the container or is not plain.",
        "OFD 中有路径越出容器或不规范。",
    ),
    "ofd_duplicate_name": ("Two files of the OFD have the same name.", "OFD 中有两个文件同名。"),
    "ofd_not_canonical": (
        "The OFD container is not in the form the platform writes: it was packed again or altered.",
        "OFD 容器不是本平台写出的形式：已被重新打包或篡改。",
    ),
    # XML in it.
    "ofd_xml_doctype": (
        "An XML file of the OFD has a document type, entities, inclusions or processing instructions.",
        "OFD 中有 XML 文件含文档类型声明、实体、包含或处理指令。",
    ),
    "ofd_xml_invalid": (
        "An XML file of the OFD is not well-formed UTF-8 XML ({detail}).",
        "OFD 中有 XML 文件不是格式良好的 UTF-8 XML（{detail}）。",
    ),
    "ofd_xml_bounds": (
        "An XML file of the OFD is nested too deep or has too many elements.",
        "OFD 中有 XML 文件嵌套过深或元素过多。",
    ),
    "ofd_element_missing": ("The OFD lacks the element `{name}`.", "OFD 缺少元素`{name}`。"),
    "ofd_element_repeated": ("The OFD repeats `{name}`.", "OFD 中`{name}`重复。"),
    "ofd_file_missing": (
        "The OFD names a file `{name}` and does not hold it.",
        "OFD 引用了文件`{name}`，但容器中没有。",
    ),
    # Signatures and what they cover.
    "ofd_unsigned": ("The OFD carries no signature.", "OFD 没有签名或签章。"),
    "ofd_too_many_signatures": ("The OFD has over {limit} signatures.", "OFD 的签名超过 {limit} 个。"),
    "ofd_digest_not_allowed": (
        "A signature of the OFD uses a digest algorithm that policy does not allow.",
        "OFD 签名使用的摘要算法不为策略所允许。",
    ),
    "ofd_digest_differs": (
        "File `{name}` of the OFD was altered after signing.",
        "OFD 中的文件`{name}`在签名后被篡改。",
    ),
    "ofd_uncovered": (
        "A signature of the OFD leaves {count} file(s) uncovered, first `{first}`: added or never protected.",
        "OFD 签名未覆盖 {count} 个文件，首个为`{first}`：事后添加或从未受保护。",
    ),
    "ofd_reference_repeated": ("A signature of the OFD lists `{name}` twice.", "OFD 签名重复列出文件`{name}`。"),
    "ofd_reference_to_itself": ("A signature of the OFD lists its own files.", "OFD 签名列出了自身的文件。"),
    # Building.
    "ofd_text_not_allowed": (
        "A text of the document holds a control character (`{where}`). Correct the record.",
        "文档的文本含有控制字符（`{where}`）。请更正记录。",
    ),
    "ofd_signed_already": (
        "The OFD is signed already. Seal the file as it was before.",
        "该 OFD 已签章。请使用签章前的文件。",
    ),
    "ofd_page_overfull": (
        "The fields do not fit on the page ({where}). Shorten them or use another template.",
        "照面内容超出页面（{where}）。请精简或更换模板。",
    ),
}
