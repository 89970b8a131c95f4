"""Pages that Caddy serves by itself: the certificate to trust, and the one shown while the API is away."""

from __future__ import annotations

import base64
import html
import os
import re
import uuid
from pathlib import Path

from sparrow import __version__
from sparrow.box import tls
from sparrow.settings import Settings

_STYLE = """
:root{color-scheme:light dark;
--ink:#1c2430;--soft:#5b6675;--line:#d9dee5;--ground:#f5f6f8;--card:#fff;--accent:#a8572a}
@media(prefers-color-scheme:dark){:root{
--ink:#e8eaee;--soft:#a0a9b6;--line:#333b47;--ground:#14181e;--card:#1c222b;--accent:#e39a6b}}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);
font:16px/1.6 system-ui,-apple-system,"Segoe UI","PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
main{max-width:46rem;margin:0 auto;padding:clamp(1rem,4vw,3rem) clamp(1rem,4vw,2rem)}
header{display:flex;align-items:center;gap:.75rem;margin-bottom:1.5rem}
header svg{width:2.75rem;height:2.75rem}header b{font-size:1.25rem}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;
padding:clamp(1rem,3vw,1.75rem);margin-bottom:1.25rem}h1{font-size:1.35rem;line-height:1.3;margin:0 0 .5rem}
p{margin:.4rem 0 .8rem}ol{padding-left:1.3rem}li{margin:.25rem 0}small,.soft{color:var(--soft)}
code{font:600 .95rem/1.7 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.print{display:block;background:var(--ground);border:1px solid var(--line);border-radius:8px;padding:.75rem 1rem}
a{color:var(--accent)}.button{display:inline-block;background:var(--accent);color:var(--card);border-radius:8px;
padding:.5rem 1rem;margin:.25rem .5rem .25rem 0;text-decoration:none;font-weight:600}
a:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.bar{height:4px;border-radius:2px;background:var(--line);overflow:hidden;margin:1rem 0}
.bar i{display:block;width:40%;height:100%;background:var(--accent);animation:go 1.4s ease-in-out infinite alternate}
@keyframes go{from{transform:translateX(-20%)}to{transform:translateX(170%)}}
@media(prefers-reduced-motion:reduce){.bar i{animation:none;width:100%}}
"""
# The same bird as app/web/public/sparrow.svg.
_MARK = ('<svg viewBox="0 3 64 64" aria-hidden="true"><path fill="#5b3212" d="M2 21 24 30 18 44Z"/>'
         '<path fill="#c98a4b" d="M12 36A22 22 0 0 0 56 36V22A12 12 0 0 0 32 22Z"/>'
         '<path fill="#f4dfc0" d="M56 27V36A22 22 0 0 1 34 58 44 44 0 0 0 56 27Z"/>'
         '<path fill="#8a4f1d" d="M32 22A12 12 0 0 1 56 22ZM12 36H40A20 20 0 0 1 22 54.3 22 22 0 0 1 12 36Z"/>'
         '<path fill="#e9a23b" d="M56 19 63 23.5 56 27Z"/><circle cx="47.5" cy="25" r="2.6" fill="#231508"/></svg>')


def write(settings: Settings) -> None:
    """Write all pages and the certificate into `public_dir`."""
    pem = tls.ca_file(settings).read_bytes()
    folder = settings.public_dir
    _put(folder / "ca.crt", pem)
    _put(folder / "ca.mobileconfig", _apple_profile(pem, settings).encode())
    _put(folder / "ca.html", _certificate_page(tls.fingerprint(settings) or "").encode())
    _put(folder / "starting.html", _starting_page().encode())
    _put(folder / "missing.html", _missing_page().encode())


def _certificate_page(fingerprint: str) -> str:
    lines = "<br>".join(":".join(fingerprint.split(":")[i:i + 8]) for i in range(0, 32, 8))
    buttons = ('<a class="button" href="/ca.crt">ca.crt</a>'
               '<a class="button" href="/ca.mobileconfig">iPhone / iPad / Mac</a>')
    return _page("Sparrow · 证书 · Certificate", f"""
<section lang="zh-Hans"><h1>信任这台 Sparrow</h1>
<p>这台设备用自己的证书机构为 HTTPS 签名。安装一次之后，浏览器就不再警告。
该机构只能为内网名称和 IP 地址签名，不能冒充公网网站。</p>
<p>请先核对指纹：它必须与设备屏幕上显示的 SHA-256 完全一致。</p>
<code class="print">{lines}</code><p>{buttons}</p>
<ol><li><b>Windows</b>：打开 ca.crt → 安装证书 → “受信任的根证书颁发机构”。</li>
<li><b>macOS / iPhone / iPad</b>：打开描述文件并安装；iPhone 还需在
“设置 → 通用 → 关于本机 → 证书信任设置”中启用。</li>
<li><b>Android</b>：设置 → 安全 → 加密与凭据 → 安装证书 → CA 证书。</li>
<li><b>Firefox</b>：设置 → 隐私与安全 → 查看证书 → 证书颁发机构 → 导入。</li>
<li><b>Linux</b>：复制到 /usr/local/share/ca-certificates/，然后运行 update-ca-certificates。</li></ol></section>
<section lang="en"><h1>Trust this Sparrow</h1>
<p>This box signs its HTTPS certificate with an authority of its own. Install it once and browsers stop warning.
It can vouch only for private names and IP addresses, never for a site on the internet.</p>
<p>First compare the fingerprint: it must equal the SHA-256 on the box's screen.</p>
<code class="print">{lines}</code><p>{buttons}</p>
<ol><li><b>Windows</b>: open ca.crt → Install Certificate → “Trusted Root Certification Authorities”.</li>
<li><b>macOS, iPhone, iPad</b>: open the profile and install it; on an iPhone also switch it on in Settings → General →
About → Certificate Trust Settings.</li>
<li><b>Android</b>: Settings → Security → Encryption &amp; credentials → Install a certificate → CA certificate.</li>
<li><b>Firefox</b>: Settings → Privacy &amp; Security → View Certificates → Authorities → Import.</li>
<li><b>Linux</b>: copy it to /usr/local/share/ca-certificates/ and run update-ca-certificates.</li></ol></section>""")


def _starting_page() -> str:
    return _page("Sparrow", """
<section lang="zh-Hans"><h1>Sparrow 正在启动</h1><p>通常只需几秒钟，本页会自动刷新。</p>
<div class="bar" role="progressbar" aria-label="starting"><i></i></div>
<p class="soft">如果一分钟后仍是这样，请查看设备屏幕上的提示或
<a href="/health">运行状态</a>，然后重新启动设备。您的数据是安全的。</p></section>
<section lang="en"><h1>Sparrow is starting</h1><p>This takes a few seconds; the page reloads by itself.</p>
<p class="soft">If you still see this after a minute, look at the box's screen or at its
<a href="/health">health</a>, then restart it. Your data is safe.</p></section>""",
                 '<meta http-equiv="refresh" content="3">')


def _missing_page() -> str:
    return _page("Sparrow", """
<section lang="zh-Hans"><h1>控制台尚未构建</h1><p>这里只有服务接口在运行。
请在 app/web 中运行 <code>npm ci &amp;&amp; npm run build</code>，再刷新本页。</p></section>
<section lang="en"><h1>The console has not been built</h1>
<p>Only the API runs here. Run <code>npm ci &amp;&amp; npm run build</code> in
app/web, then reload this page.</p></section>""")


def _page(title: str, body: str, head: str = "") -> str:
    # A line break in the source is no space between Chinese characters.
    body = re.sub(r"(?<=[\u3000-\uffef])\n(?=[\u201c\u3000-\uffef])", "", body)
    return (f'<!doctype html><html lang="zh-Hans"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
            f'<meta name="viewport" content="width=device-width,initial-scale=1">{head}<style>{_STYLE}</style></head>'
            f"<body><main><header>{_MARK}<b>Sparrow</b></header>{body}"
            f'<footer><small>Sparrow {__version__}</small></footer></main></body></html>\n')


def _apple_profile(pem: bytes, settings: Settings) -> str:
    """Return a configuration profile that installs the authority on Apple's systems."""
    body = "".join(pem.decode().split("-----")[2].split())
    digest = base64.b64decode(body)
    inner, outer = (uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}{digest.hex()}") for kind in ("certificate", "profile"))
    name = html.escape(f"Sparrow ({settings.hostname})")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>PayloadType</key><string>Configuration</string><key>PayloadVersion</key><integer>1</integer>
<key>PayloadIdentifier</key><string>sparrow.box.{outer}</string><key>PayloadUUID</key><string>{outer}</string>
<key>PayloadDisplayName</key><string>{name}</string>
<key>PayloadContent</key><array><dict>
<key>PayloadType</key><string>com.apple.security.root</string><key>PayloadVersion</key><integer>1</integer>
<key>PayloadIdentifier</key><string>sparrow.box.{inner}</string><key>PayloadUUID</key><string>{inner}</string>
<key>PayloadDisplayName</key><string>{name}</string><key>PayloadContent</key><data>{body}</data>
</dict></array></dict></plist>
"""


def _put(path: Path, content: bytes) -> None:
    """Replace a file in memory, so that Caddy never serves half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name("." + path.name)
    temporary.write_bytes(content)
    os.replace(temporary, path)
    if os.geteuid() == 0:  # made before supervisord starts; the screen program renews it later
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid)
