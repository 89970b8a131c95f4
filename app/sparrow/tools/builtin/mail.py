"""Mail over SMTP."""

from __future__ import annotations

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from sparrow.tools import outbound
from sparrow.tools.builtin import Provider, label
from sparrow.tools.types import Parameter, Tool, Use, failure

_SECONDS = 30.0
_MAX_RECIPIENTS = 50


class _Plain(smtplib.SMTP):
    """SMTP that connects to the address that was checked and verifies the certificate of the name."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return socket.create_connection((outbound.resolve(host, port), port), timeout)


class _Tls(smtplib.SMTP_SSL):
    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((outbound.resolve(host, port), port), timeout)
        return self.context.wrap_socket(plain, server_hostname=host)


def _send(values: dict[str, Any], use: Use) -> str:
    send_to = values["send_to"]
    names = send_to if isinstance(send_to, list) else str(send_to).replace(";", ",").split(",")
    recipients = [str(name).strip() for name in names if str(name).strip()]
    if not 1 <= len(recipients) <= _MAX_RECIPIENTS:
        raise failure(f"send_to must name 1 to {_MAX_RECIPIENTS} addresses.")
    message = EmailMessage()
    try:
        message["From"] = str(values.get("sender") or values["email_account"])
        message["To"] = ", ".join(recipients)
        message["Subject"] = str(values["subject"]).replace("\n", " ").replace("\r", " ")
    except ValueError as error:  # a line break in an address
        raise failure(f"An address cannot be used: {error}") from error
    message["Date"], message["Message-ID"] = formatdate(localtime=False), make_msgid(domain="sparrow")
    message.set_content(str(values["email_content"]),
                        subtype="html" if values.get("content_type") == "html" else "plain")
    how = str(values.get("encrypt_method") or "TLS").upper()
    context = ssl.create_default_context()
    host = str(values["smtp_server"]).strip()
    port = int(values.get("smtp_port") or {"SSL": 465, "NONE": 25}.get(how, 587))
    try:
        server: smtplib.SMTP
        if how == "SSL":
            server = _Tls(host, port, timeout=_SECONDS, context=context)
        else:
            server = _Plain(host, port, timeout=_SECONDS)
        forget = use.cancel.on_cancel(server.close)
        try:
            with server:
                if how in ("TLS", "STARTTLS"):
                    server.starttls(context=context)
                if values.get("email_password"):
                    server.login(str(values["email_account"]), str(values["email_password"]))
                refused = server.send_message(message)
        finally:
            forget()
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        raise failure(f"The mail server answered {error.smtp_code}: {text}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise failure(f"The mail could not be sent: {error}") from error
    if refused:
        raise failure(f"The mail server did not take {', '.join(refused)}.")
    return "Mail sent successfully"


_SERVER = (
    Parameter("email_account", "Account, the sender's address", form=True, zh="账号（发件人地址）"),
    Parameter("email_password", "Password or authorisation code", "secret", required=False, form=True,
              zh="密码或授权码"),
    Parameter("smtp_server", "Mail server", form=True, zh="SMTP 服务器"),
    Parameter("smtp_port", "Port", "number", required=False, form=True, zh="端口"),
    Parameter("encrypt_method", "Encryption", "select", required=False, default="TLS", form=True,
              options=("SSL", "TLS", "NONE"), zh="加密方式"),
    Parameter("sender", "Sender's address, if not the account", required=False, form=True, zh="发件人（如与账号不同）"),
)
PROVIDERS = (Provider("email", label("Mail", "邮件"), label("Sends mail over SMTP.", "通过 SMTP 发送邮件。"), (
    Tool("send_mail", label("Send mail", "发送邮件"), "Sends a mail.", (
        Parameter("send_to", "Address of the recipient; several with commas", zh="收件人，多个用逗号分隔"),
        Parameter("subject", "Subject", zh="主题"), Parameter("email_content", "Text of the mail", zh="正文"),
        Parameter("content_type", "text or html", "select", required=False, default="text", form=True,
                  options=("text", "html"), zh="正文格式"), *_SERVER), _send),), _SERVER),)
