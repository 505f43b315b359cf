"""A browser without scripts: asks for pages, sends their forms with the session's token, reads what comes."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hub.actors import Actor

OFFICE = Actor("RS", "administrator")
PASSWORD = "correct horse battery staple"
SAME = {"sec-fetch-site": "same-origin"}
HAN = re.compile(r"[\u3400-\u9fff]")


class Browser:
    """One visitor; *token* is that of the session."""

    def __init__(self, client, token=""):
        self.client = client
        self.token = token

    def see(self, path, **headers):
        """The page at *path* as it comes, redirects not followed."""
        return self.client.get(path, headers=headers)

    def read(self, path, status=200, **headers):
        """The text of the page at *path*, without its tags."""
        answer = self.see(path, **headers)
        assert answer.status_code == status, (answer.status_code, text_of(answer.text)[:500])
        return text_of(answer.text)

    def json(self, path):
        """The page's data."""
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text[:500]
        return answer.json()

    def send(self, path, files=None, **fields):
        """Send a form of a page of ours."""
        data = {"token": self.token, **fields}
        return self.client.post(path, data=data, files=files, headers=SAME)


class _Text(HTMLParser):
    def __init__(self):
        super().__init__()
        self.parts, self.hidden = [], 0

    def handle_starttag(self, tag, attributes):
        self.hidden += tag in {"script", "style"}

    def handle_endtag(self, tag):
        self.hidden -= tag in {"script", "style"}

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data)


def text_of(page):
    """What a page says, blanks folded."""
    parser = _Text()
    parser.feed(page)
    return " ".join("".join(parser.parts).split())
