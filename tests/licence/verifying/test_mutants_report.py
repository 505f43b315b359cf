"""The report on documents: which steps make a verdict, which exit code, and every word that people are shown."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from licence import report as base
from licence.report import Note, Outcome, Step, Verdict, VerificationReport
from licence.verifying import case as c
from licence.verifying.report import (
    SECTIONS,
    DocumentReport,
    Form,
    Part,
    Section,
    ToldPart,
    ToldStep,
    simple,
    told,
)
from tests.licence import world as w

GOOD = c.passed("judge_coverage_ok")
BAD = c.failed("signature_wrong", "SIG_CRYPTO_FAILURE")
MISSING = c.undecided("judge_status_missing", "TRY_LATER", number="20")
NEEDED = {
    Form.PDF: (Section.PDF, Section.PDF_SIGNATURE),
    Form.OFD: (Section.OFD, Section.OFD_SIGNATURE),
    Form.SEAL: (Section.SEAL,),
    Form.SEAL_SIGNATURE: (Section.SEAL_SIGNATURE,),
    Form.QR: (Section.QR,),
}
STEPS = {
    Section.PDF: "format",
    Section.PDF_SIGNATURE: "signature time_stamp chain issuer",
    Section.PDF_TIME_STAMP: "time_stamp",
    Section.OFD: "format coverage",
    Section.OFD_SIGNATURE: "format signature custodian maker_signature created maker validity seal_time_stamp signer "
    "time_stamp document place container_seal",
    Section.SEAL: "format maker_signature created maker validity seal_time_stamp",
    Section.SEAL_SIGNATURE: "format signature custodian maker_signature created maker validity seal_time_stamp signer "
    "time_stamp document",
    Section.QR: "format chain signature issuer status validity",
    Section.COPY: "annotation validity",
}


def parts_of(*sections, **findings):
    """Parts whose steps passed, but for *findings*: step name → finding."""
    parts, first = [], 1
    for section in sections:
        part = c.part(section, [findings.get(name, GOOD) for name in SECTIONS[section]], first=first)
        first += len(part.steps)
        parts.append(part)
    return tuple(parts)


def report(form, *more, **findings):
    return DocumentReport(form, parts_of(*NEEDED[form], *more, **findings), w.AT)


def test_the_steps_of_each_section_are_these():
    assert {section: " ".join(names) for section, names in SECTIONS.items()} == STEPS
    assert set(SECTIONS) == set(Section)


class TestVerdict:
    @pytest.mark.parametrize("form", NEEDED)
    def test_passes_when_every_section_is_there_and_every_step_passed(self, form):
        found = report(form)
        assert (found.verdict, found.sub_indication, found.exit_code, found.deciding) == (Verdict.PASSED, "", 0, None)
        for index in range(len(found.parts)):
            fewer = DocumentReport(form, found.parts[:index] + found.parts[index + 1 :], w.AT)
            assert (fewer.verdict, fewer.exit_code) == (Verdict.INDETERMINATE, 11)

    def test_a_section_that_lacks_a_step_never_passes(self):
        for form in NEEDED:
            whole = report(form)
            for index, part in enumerate(whole.parts):
                for cut in (part.steps[:-1], part.steps[1:], part.steps[::-1], (*part.steps, part.steps[-1])):
                    if cut == part.steps:
                        continue
                    short = Part(part.section, cut)
                    assert not short.complete
                    parts = (*whole.parts[:index], short, *whole.parts[index + 1 :])
                    assert DocumentReport(form, parts, w.AT).verdict is Verdict.INDETERMINATE

    def test_what_is_no_document_never_passes_here(self):
        assert DocumentReport(Form.LICENCE, (), w.AT).verdict is Verdict.INDETERMINATE
        assert DocumentReport(Form.LICENCE, parts_of(Section.QR), w.AT).verdict is Verdict.INDETERMINATE

    def test_a_step_that_was_not_made_leaves_it_open(self):
        found = report(Form.QR, status=c.SKIPPED)
        assert (found.verdict, found.deciding, found.exit_code) == (Verdict.INDETERMINATE, None, 11)

    def test_the_first_that_failed_decides_before_what_is_open(self):
        worse = c.failed("licence_expired", "EXPIRED", limit="x")
        found = report(Form.QR, chain=MISSING, signature=BAD, validity=worse)
        assert (found.deciding.number, found.sub_indication) == (3, "SIG_CRYPTO_FAILURE")
        assert (found.verdict, found.exit_code) == (Verdict.FAILED, 10)
        found = report(Form.PDF, Section.COPY, issuer=MISSING, annotation=MISSING)
        assert (found.deciding.number, found.sub_indication) == (5, "TRY_LATER")
        assert (found.verdict, found.exit_code) == (Verdict.INDETERMINATE, 11)

    @pytest.mark.parametrize(
        ("form", "more", "name", "code"),
        [
            (Form.QR, (), "status", 12),
            (Form.QR, (), "validity", 12),
            (Form.QR, (), "signature", 10),
            (Form.SEAL, (), "validity", 12),
            (Form.SEAL, (), "maker", 10),
            (Form.SEAL_SIGNATURE, (), "validity", 10),
            (Form.OFD, (), "validity", 10),
            (Form.PDF, (Section.COPY,), "validity", 12),
            (Form.PDF, (Section.COPY,), "annotation", 10),
        ],
    )
    def test_what_is_not_in_force_has_a_code_of_its_own(self, form, more, name, code):
        assert report(form, *more, **{name: BAD}).exit_code == code
        assert report(form, *more, **{name: MISSING}).exit_code == 11

    def test_steps_are_told_over_all_parts(self):
        assert [s.number for s in report(Form.PDF, Section.PDF_TIME_STAMP).steps] == [1, 2, 3, 4, 5, 6]


def test_json_holds_everything():
    finding = c.passed("judge_time_stamp_ok", [Note("judge_names_credential", (("digest", "00"),))], stamped="S",
                       subject="T")  # fmt: skip
    found = DocumentReport(
        Form.PDF,
        (*parts_of(Section.PDF), c.part(Section.PDF_TIME_STAMP, [finding], first=2, label="戳"),
         c.part(Section.PDF_SIGNATURE, [MISSING], first=3)),
        w.AT,
        {"copy": {"purpose": "核对"}},
        {"seen": 1},
    )  # fmt: skip
    text = found.to_json()
    document = json.loads(text)
    (first, second, third) = document.pop("parts")
    assert document == {
        "format": "zhengtong-document-report/1",
        "form": "pdf",
        "verdict": "INDETERMINATE",
        "sub_indication": "TRY_LATER",
        "exit_code": 11,
        "at": "2025-03-01T10:00:00+00:00",
        "facts": {"copy": {"purpose": "核对"}},
        "observed": {"seen": 1},
    }
    step = found.parts[1].steps[0]
    assert (first["section"], first["label"], len(first["steps"])) == ("pdf", "", 1)
    assert second == {
        "section": "pdf-time-stamp",
        "label": "戳",
        "steps": [
            {
                "number": 2,
                "name": "time_stamp",
                "outcome": "passed",
                "code": "judge_time_stamp_ok",
                "params": {"stamped": "S", "subject": "T"},
                "sub_indication": "",
                "text": {"zh": step.text("zh"), "en": step.text("en")},
                "notes": [
                    {
                        "code": "judge_names_credential",
                        "params": {"digest": "00"},
                        "text": {"zh": step.notes[0].text("zh"), "en": step.notes[0].text("en")},
                    }
                ],
            }
        ],
    }
    assert third["steps"][0]["sub_indication"] == "TRY_LATER"
    assert "核对" in text
    assert text.startswith('{\n "format"')
    assert text.endswith("}\n")


WORDS = {
    Form.LICENCE: ("该证照", "the licence"),
    Form.PDF: ("该 PDF 文件", "the PDF"),
    Form.OFD: ("该 OFD 文件", "the OFD"),
    Form.SEAL: ("该电子印章", "the electronic seal"),
    Form.SEAL_SIGNATURE: ("该电子签章", "the seal signature"),
    Form.QR: ("该二维码所示证照", "the licence in the QR code"),
}
AT = "2025-03-01T10:00:00Z"


class TestSentences:
    @pytest.mark.parametrize("form", NEEDED)
    def test_the_verdict_is_one_sentence_about_this_thing_at_this_time(self, form):
        zh, en = WORDS[form]
        passed = {
            Form.SEAL: (f"有效：{zh}在 {AT} 有效。", f"Valid: {en} is good at {AT}."),
            Form.SEAL_SIGNATURE: (f"有效：{zh}在 {AT} 有效。", f"Valid: {en} is good at {AT}."),
            Form.QR: (f"有效：{zh}真实，在 {AT} 有效。", f"Valid: {en} is genuine and in force at {AT}."),
        }.get(
            form,
            (
                f"有效：{zh}真实、完整，签署者可信。所载证照目前是否有效不由本文件说明，请验证其数据包或二维码。",
                f"Valid: {en} is genuine and whole. Its bundle or QR code, not this, tells if a licence is in force.",
            ),
        )
        undecided = (
            f"无法判定：缺少判定{zh}在 {AT} 是否有效所需的材料。",
            f"Cannot be decided: what is at hand does not settle whether {en} is valid at {AT}.",
        )
        failed = f"无效：不得接受{zh}（{AT}）。", f"Not valid: do not accept {en} ({AT})."
        for findings, expected in (({}, passed), ({"format": MISSING}, undecided), ({"format": BAD}, failed)):
            found = report(form, **findings)
            for lang, words in zip(("zh", "en"), expected, strict=True):
                assert found.text(lang).splitlines()[0] == words
                assert simple(found, lang) == f"{found.verdict.value}\n{words}\n"

    def test_a_copy_says_what_for_and_until_when_if_it_holds(self):
        facts = {"copy": {"purpose": "核对", "valid_until": "2025-04-01T00:00:00Z"}}
        for form in (Form.PDF, Form.OFD):
            zh, en = WORDS[form]
            good = DocumentReport(form, parts_of(*NEEDED[form], Section.COPY), w.AT, facts)
            assert good.text("zh").splitlines()[0] == (
                f"有效：{zh}是真实的加注件，仅限“核对”使用，有效期至 2025-04-01T00:00:00Z。证照目前是否有效，"
                "请验证其数据包或二维码。"
            )
            assert good.text("en").splitlines()[0] == (
                f"Valid: {en} is a genuine copy for “核对” only, until 2025-04-01T00:00:00Z. "
                "The bundle tells if a licence is valid."
            )
            bad = DocumentReport(form, parts_of(*NEEDED[form], Section.COPY, validity=BAD), w.AT, facts)
            assert "copy" not in bad.text("en").splitlines()[0]

    def test_each_form_has_its_words(self):
        for form, words in WORDS.items():
            bad = DocumentReport(form, parts_of(Section.PDF, format=BAD), w.AT)
            assert [bad.text(lang).splitlines()[0] for lang in ("zh", "en")] == [
                f"无效：不得接受{words[0]}（{AT}）。",
                f"Not valid: do not accept {words[1]} ({AT}).",
            ]

    def test_a_time_is_told_in_whole_seconds(self):
        found = DocumentReport(Form.QR, parts_of(Section.QR), w.AT + timedelta(microseconds=5))
        assert AT in found.text("en").splitlines()[0]


TITLES = {
    Section.PDF: ("PDF 文件", "PDF file"),
    Section.PDF_SIGNATURE: ("PDF 签名", "PDF signature"),
    Section.PDF_TIME_STAMP: ("文档时间戳", "Document time stamp"),
    Section.OFD: ("OFD 文件", "OFD file"),
    Section.OFD_SIGNATURE: ("电子签章", "Seal signature"),
    Section.SEAL: ("电子印章", "Electronic seal"),
    Section.SEAL_SIGNATURE: ("电子签章", "Seal signature"),
    Section.QR: ("证照二维码", "QR code of a licence"),
    Section.COPY: ("加注件", "Annotated copy"),
}
NAMES = {
    "format": ("格式", "Format"),
    "signature": ("签名", "Signature"),
    "time_stamp": ("时间戳", "Time stamp"),
    "coverage": ("签名覆盖范围", "Coverage"),
    "place": ("签名位置", "Place of the signature"),
    "container_seal": ("容器中的印章", "Seal in the container"),
    "annotation": ("加注信息", "Annotation"),
    "validity": ("有效期", "Validity"),
    "custodian": ("签章者与印章匹配", "Custodian of the seal"),
    "document": ("原文杂凑值", "Document digest"),
}
OUTCOMES = {
    Outcome.PASSED: ("通过", "passed"),
    Outcome.FAILED: ("不通过", "failed"),
    Outcome.INDETERMINATE: ("无法判定", "indeterminate"),
    Outcome.SKIPPED: ("未检查", "skipped"),
}


class TestSteps:
    @pytest.mark.parametrize("lang", ["zh", "en"])
    def test_are_told_under_what_they_are_about(self, lang):
        column = ("zh", "en").index(lang)
        note = Note("judge_names_credential", (("digest", "00"),))
        with_note = c.passed("judge_coverage_ok", [note])
        parts = [
            c.part(section, [with_note, BAD, MISSING][: len(SECTIONS[section])], first=1, label="x" * (number % 2))
            for number, section in enumerate(Section)
        ]
        found = DocumentReport(Form.OFD, tuple(parts), w.AT)
        first, reason, verdict, *lines = found.text(lang).splitlines()
        assert first
        assert reason == f"{found.deciding.text(lang)} [SIG_CRYPTO_FAILURE]"
        assert verdict == "TOTAL-FAILED"
        expected, laid_out = [], []
        for part in parts:
            title = TITLES[part.section][column] + (" x" if part.label else "")
            expected.append(title)
            steps = []
            for step in part.steps:
                outcome = OUTCOMES[step.outcome][column]
                name = NAMES.get(step.name)
                words = name[column] if name else lines[len(expected)].split(". ", 1)[1].split(" — ")[0]
                expected.append(f" {step.number}. {words} — {outcome} — {step.text(lang)}")
                expected += [f"    · {one.text(lang)}" for one in step.notes]
                notes = tuple(one.text(lang) for one in step.notes)
                steps.append(ToldStep(step.number, words, step.outcome, outcome, step.text(lang), notes))
            laid_out.append(ToldPart(title, tuple(steps)))
        assert lines == expected
        assert told(found, lang) == tuple(laid_out)
        assert found.text(lang).endswith("\n")

    def test_a_good_one_gives_no_reason(self):
        lines = report(Form.QR).text("en").splitlines()
        assert lines[1:3] == ["TOTAL-PASSED", "QR code of a licence"]

    @pytest.mark.parametrize("lang", ["zh", "en"])
    def test_those_of_a_licence_are_told_apart_in_one_part(self, lang):
        column = ("zh", "en").index(lang)
        note = Note("judge_names_credential", (("digest", "00"),))
        names = (*base.STEPS, base.DOCUMENTS)
        steps = tuple(
            Step(n, name, Outcome.PASSED, "judge_coverage_ok", (), "", (note,))
            for n, (name, *_) in enumerate(names, start=1)
        )
        (part,) = told(VerificationReport(steps, w.AT), lang)
        assert part.title == ""
        assert part.steps == tuple(
            ToldStep(n, words[column], Outcome.PASSED, OUTCOMES[Outcome.PASSED][column], steps[0].text(lang),
                     (note.text(lang),))
            for n, (_, *words) in enumerate(names, start=1)
        )  # fmt: skip
