"""What can go wrong on the way to a page, beside what the use cases refuse."""

from __future__ import annotations

from hub.errors import HubError, RequestError, WorkError


class SignInFirstError(HubError):
    """The page is for those who are signed in."""

    code = "sign_in_first"
    en = "Sign in to see this page."
    zh = "请先登录后查看此页面。"


class DutyMissingError(WorkError):
    """The person has none of the duties that the page is for; *duties* names them."""

    code = "duty_missing"
    en = "This page is for: {duties}. Ask your department's administrator for the duty, or for a delegation."
    zh = "此页面供以下职责使用：{duties_zh}。如需使用，请联系本部门管理员授予职责或办理委托。"


class ForeignFormError(RequestError):
    """A form was sent that no page of ours showed to this person."""

    code = "foreign_form"
    en = "This form came from no page of this portal, or you signed in anew since. Go back, reload and send it again."
    zh = "此表单并非由本平台页面提交，或您已重新登录。请返回、刷新页面后重新提交。"


class SentBeforeError(WorkError):
    """A form that makes a key was sent a second time, as reloading the page that answered does."""

    code = "form_sent_before"
    en = (
        "This form was sent already: its key was made and shown once, and no second one was made. "
        "If you did not keep it, revoke it below and make another."
    )
    zh = "此表单已提交过：密钥当时已生成并显示一次，此次未再生成。如未保存，请在下方吊销后重新生成。"


class FormInvalidError(RequestError):
    """What was sent is no form, or says what cannot be."""

    code = "form_invalid"
    en = "`{where}`: {why}."
    zh = "“{where_zh}”：{why_zh}。"


class UploadTooLargeError(RequestError):
    """More was sent than the page takes."""

    code = "upload_too_large"
    en = "At most {limit_mb} MB can be sent here. Nothing was kept."
    zh = "此处最多可提交 {limit_mb} MB。未保存任何内容。"


class PictureRefusedError(RequestError):
    """A picture was sent that no QR code could be read from."""

    code = "picture_refused"
    en = "The picture was not verified: {why}. Send the file itself, or paste the text of the code."
    zh = "未能核验该图片：{why_zh}。也可提交文件本身，或粘贴二维码文本。"


class TooManyVisitsError(HubError):
    """Too many requests of one address."""

    code = "too_many_visits"
    en = "Too many requests came from your address. Wait {seconds} s."
    zh = "来自您所在地址的请求过多。请等待 {seconds} 秒。"


class LogNotSoundError(HubError):
    """The log, or what is beside it, is not what was written: a person looks at it before anything else."""

    code = "log_not_sound"
    en = "{why}"
    zh = "{why_zh}"
