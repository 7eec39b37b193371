"""What an archive of evidence says to whoever opens it."""

from __future__ import annotations

ENGLISH = """\
Evidence exported by PyPeriShield
=================================

alarms/ID/event.json      what the rule found, as it was stored when the alarm was raised
alarms/ID/alarm.json      the alarm at the time of the export
alarms/ID/clean.jpg       the picture of the crossing
alarms/ID/annotated.jpg   the same with what explains the alarm drawn over it
alarms/ID/clip.mp4        the footage around it
chain.jsonl               the records of these alarms, each linked to the one before it; of other alarms' records in
                          between only the digest
manifest.json             everything above with sizes and SHA-256, who exported it and when
manifest.sig              its Ed25519 signature (64 bytes)
public_key.pem            the key that signed it

To check everything at once, with the site's public key from a source that you trust:

    perishield verify FILE.zip --key site.pem

A public key that comes with the archive proves only that nothing was damaged. Whose key it is, only the site can say.

Without our program, after unpacking:

    openssl pkeyutl -verify -pubin -inkey site.pem -rawin -in manifest.json -sigfile manifest.sig
    sha256sum alarms/ID/clip.mp4        # compare with manifest.json

A record's hash is SHA-256 over 64 bytes: the hash before it, then the SHA-256 of its content. The content is JSON with
sorted keys and no spaces, in UTF-8; chain.previous in manifest.json is the hash before the first.

A file marked "masked" in manifest.json is a copy in which private areas were covered. Its original has the hash that is
given there, and stays with the site.
"""

CHINESE = """\
PyPeriShield 导出的证据
=======================

alarms/ID/event.json      规则的判定，报警产生时存下的原样
alarms/ID/alarm.json      导出时的报警
alarms/ID/clean.jpg       越界时刻的画面
alarms/ID/annotated.jpg   同一画面，叠加报警的依据
alarms/ID/clip.mp4        前后的录像
chain.jsonl               这些报警的记录，逐条相连；其间其他报警的记录只有摘要
manifest.json             以上各文件的大小与 SHA-256，以及导出人和时间
manifest.sig              清单的 Ed25519 签名（64 字节）
public_key.pem            签名所用的公钥

一次查验全部内容（公钥须从可信的途径取得）：

    perishield verify FILE.zip --key site.pem

随档案附带的公钥只能证明内容没有损坏；它属于谁，只有站点自己能够说明。

不用本程序时，解压后：

    openssl pkeyutl -verify -pubin -inkey site.pem -rawin -in manifest.json -sigfile manifest.sig
    sha256sum alarms/ID/clip.mp4        # 与 manifest.json 对照

一条记录的散列是对 64 字节求 SHA-256：前一条的散列，接着是本条内容的 SHA-256。内容是键已排序、无空格的 UTF-8 JSON；
manifest.json 中的 chain.previous 是第一条之前的散列。

manifest.json 中标为 "masked" 的文件是遮盖了隐私区域的副本。原件的散列写在那里，原件留在站点。
"""
