"""E-mail over SMTP, with the picture in the text. Acknowledged is what the server took over: mail has no more."""

from __future__ import annotations

import asyncio
import hashlib
import smtplib
import socket
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate
from html import escape

from perishield.alarms.channels.http import refused
from perishield.alarms.channels.outward import judged, trusting
from perishield.alarms.channels.sender import Answer, Message, Outcome, unanswered
from perishield.alarms.channels.texts import Language, cut, facts, numbers, title, word
from perishield.model.channels import Email, Topic
from perishield.model.outward import OutwardError

_MOST_PICTURE = 5 << 20


class EmailSender:
    cost = 1

    def __init__(self, target: Email, secrets: Mapping[str, str], language: Language) -> None:
        self.timeout_s = target.timeout_s + 5
        self.wants_picture = target.picture
        self._target = target
        self._secrets = secrets
        self._language = language
        self._context = trusting(target.ca)

    async def send(self, message: Message) -> Answer:
        target = self._target
        what = f"{target.host}:{target.port}"
        try:
            host = f"[{target.host}]" if ":" in target.host else target.host
            place = await judged(f"smtp://{host}:{target.port}", target.reach)
            return await asyncio.to_thread(self._deliver, place.ip, self.mail(message))
        except OutwardError as error:
            return refused(error, what)
        except ssl.SSLCertVerificationError as error:
            return Answer(
                outcome=Outcome.SETUP, reason=f"{what}: its certificate is not trusted: {error.verify_message}"
            )
        except (smtplib.SMTPException, OSError) as error:
            return self._explain(error, what)

    async def close(self) -> None:
        """Nothing stays open between mails."""

    def mail(self, message: Message) -> EmailMessage:
        """The mail as it is sent. Its Message-ID is the same at every try, so that mailboxes can tell."""
        language, links = self._language, message.links
        head = title(language, message)
        mail = EmailMessage()
        mail["Subject"] = cut(head, 200)
        mail["From"] = self._target.sender
        mail["To"] = ", ".join(self._target.to)
        mail["Date"] = formatdate(usegmt=True)
        name = hashlib.sha256(message.key.encode()).hexdigest()[:32]
        mail["Message-ID"] = f"<{name}@{self._target.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-PeriShield-Alarm"] = message.alarm.id
        found = facts(language, message)
        addresses = [(word(language, "open"), links.console)]
        if message.topic is Topic.CLIP and links.clip:
            addresses.append((word(language, "watch"), links.clip))
        lines = [
            head,
            "",
            *(f"{key}: {value}" for key, value in found),
            "",
            *(f"{key}: {url}" for key, url in addresses),
        ]
        mail.set_content("\n".join([*lines, "", numbers(message)]))
        picture = message.picture if len(message.picture) <= _MOST_PICTURE and not message.others else b""
        rows = "".join(f"<tr><td>{escape(key)}</td><td>{escape(value)}</td></tr>" for key, value in found)
        anchors = "".join(f'<p><a href="{escape(url)}">{escape(key)}</a></p>' for key, url in addresses)
        image = '<p><img src="cid:picture" style="max-width:100%"></p>' if picture else ""
        mail.add_alternative(
            f"<h3>{escape(head)}</h3><table>{rows}</table>{image}{anchors}<p><small>{escape(numbers(message))}</small></p>",
            subtype="html",
        )
        if picture:
            html = mail.get_body(("html",))
            if html is None:
                raise AssertionError("it was just added")
            html.add_related(
                picture, "image", "jpeg", cid="<picture>", disposition="inline", filename=f"{message.alarm.id}.jpg"
            )
        return mail

    def _deliver(self, ip: str, mail: EmailMessage) -> Answer:
        target = self._target
        timeout = target.timeout_s / 2
        kind = _Tls if target.security == "tls" else _Plain
        with kind(ip, target.host, target.port, timeout, self._context) as server:
            if target.security == "starttls":
                server.starttls(context=self._context)
            if target.username:
                server.login(target.username, self._secrets.get("password", ""))
            refusals = server.send_message(mail, from_addr=target.sender, to_addrs=list(target.to))
        reason = ""
        if refusals:
            reason = f"taken, but not for {', '.join(sorted(refusals))[:300]}"
        return Answer(outcome=Outcome.ACCEPTED, status=250, reason=reason)

    @staticmethod
    def _explain(error: Exception, what: str) -> Answer:
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return Answer(outcome=Outcome.SETUP, reason=f"{what}: {error}; choose another `security`")
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            answers = list(error.recipients.values())
            code, said = answers[0] if answers else (550, b"")
            outcome = Outcome.TRANSIENT if all(400 <= one[0] < 500 for one in answers) else Outcome.SETUP
            return _coded(outcome, code, said, f"{what}: refuses the recipients")
        if isinstance(error, smtplib.SMTPResponseException):
            code = error.smtp_code
            if 400 <= code < 500 or code < 0:
                return _coded(Outcome.TRANSIENT, code, error.smtp_error, what)
            outcome = Outcome.CONTENT if isinstance(error, smtplib.SMTPDataError) else Outcome.SETUP
            return _coded(outcome, code, error.smtp_error, what)
        return unanswered(error, what)


def _coded(outcome: Outcome, code: int, said: bytes | str, what: str) -> Answer:
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return Answer(outcome=outcome, status=max(code, 0), text=text[:1024], reason=f"{what}: {code} {text[:200]}")


class _Plain(smtplib.SMTP):
    """Connects to the address that was judged, and knows the server by its name."""

    def __init__(self, ip: str, name: str, port: int, timeout: float, context: ssl.SSLContext) -> None:
        self._ip = ip
        self._name = name
        self._context = context
        super().__init__(name, port, timeout=timeout)

    def _get_socket(self, _host: str, port: int, timeout: float) -> socket.socket:
        return socket.create_connection((self._ip, port), timeout)


class _Tls(_Plain):
    def _get_socket(self, _host: str, port: int, timeout: float) -> socket.socket:
        raw = socket.create_connection((self._ip, port), timeout)
        try:
            return self._context.wrap_socket(raw, server_hostname=self._name)
        except BaseException:
            raw.close()
            raise
