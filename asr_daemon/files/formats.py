"""Which formats are recordings: one table for what is collected from a folder and what ffmpeg may open.

A row: what the format is called, ffmpeg's demuxers, the suffixes of its files, and how such a file begins.
Left out on purpose: whatever names further files or hosts (hls, dash, concat, playlists), draws (images,
subtitles, text), or is a device; and what ffmpeg tells by the suffix alone (raw G.722, GSM), since it is
given a descriptor without a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HEAD_BYTES = 4096  # that much of a file's beginning :func:`looks_like_sound` wants to see


@dataclass(frozen=True, slots=True)
class Format:
    """One row of the table."""

    name: str
    demuxers: str
    suffixes: str
    begins: bytes = rb"(?!)"  # a pattern at the first byte; by default nothing is told by it


_ID3 = rb"ID3[\x02-\x04]"
_ADTS = rb"\xff[\xf0\xf1\xf8\xf9][\x40-\x6f\x80-\xbf]"
_MPEG = rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x10-\xef]"  # any version and layer, rate given
TABLE = (
    Format("WAVE", "wav,w64,xwma", "wav wave w64 rf64 bwf xwma",
           rb"(RIFF|RF64|BW64|RIFX)....(WAVE|XWMA)|riff\x2e\x91\xcf\x11"),
    Format("AIFF", "aiff", "aif aiff aifc", rb"FORM....AIF[FC]"),
    Format("MPEG audio", "mp3", "mp3 mp2 mp1 mpga m2a", _ID3 + rb"|" + _MPEG),
    Format("AAC", "aac,loas", "aac adts loas latm", _ADTS + rb"|\x56[\xe0-\xff]"),
    Format("MP4", "mov,mp4,m4a,3gp,3g2,mj2",
           "mp4 m4a m4b m4r m4v mov qt 3gp 3gpp 3ga 3g2 f4v f4a f4b mj2",
           rb"....ftyp(?!hei|hev|mif|msf|avi|crx)|....(moov|mdat)|\x00...(wide|free|skip)"),  # no photographs
    Format("Matroska", "matroska,webm", "mkv mka webm weba mk3d", rb"\x1a\x45\xdf\xa3"),
    Format("Ogg", "ogg", "ogg oga ogv ogx opus spx", rb"OggS\x00"),
    Format("FLAC", "flac", "flac", rb"fLaC"),
    Format("AMR", "amr,amrnb,amrwb", "amr awb", rb"#!AMR"),
    Format("SILK", "", "slk silk aud", rb"\x02?#!SILK"),  # WeChat's: collected to say that it is not decoded
    Format("Windows Media", "asf", "wma wmv asf", rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    Format("AVI", "avi", "avi divx amv", rb"RIFF....(AVI |AVIX|AMV )"),
    Format("Flash", "flv", "flv", rb"FLV\x01"),
    Format("MPEG programme", "mpeg", "mpg mpeg vob m2p mod tod",
           rb"\x00\x00\x01\xba|RIFF....CDXA"),
    Format("MPEG transport", "mpegts", "ts mts m2ts m2t tp trp",
           rb".{0,207}?\x47(?:(?:.{187}\x47){4}|(?:.{191}\x47){4}|(?:.{203}\x47){4})"),
    Format("RealMedia", "rm", "rm rmvb ra", rb"\.RMF|\.ra\xfd"),
    Format("MXF", "mxf", "mxf", rb"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02"),
    Format("AC-3", "ac3,eac3", "ac3 eac3 ec3", rb"\x0b\x77"),
    Format("DTS", "dts,dtshd", "dts dtshd", rb"\x7f\xfe\x80\x01|DTSHDHDR"),
    Format("TrueHD", "truehd,mlp", "thd mlp", rb"....\xf8\x72\x6f[\xba\xbb]"),
    Format("CAF", "caf", "caf", rb"caff\x00\x01"),
    Format("Sun audio", "au", "au snd", rb"\.snd\x00"),
    Format("Monkey's Audio", "ape", "ape", rb"MAC .[\x0c-\x10]"),
    Format("True Audio", "tta", "tta", rb"TTA[12][\x01-\x03]\x00"),
    Format("WavPack", "wv", "wv", rb"wvpk"),
    Format("Musepack", "mpc,mpc8", "mpc", rb"MPCK|MP\+[\x07\x17\x27]"),
    Format("DSD", "dsf,iff", "dsf dff", rb"DSD \x1c\x00|FRM8.{8}DSD "),
    Format("Digital Speech Standard", "dss", "dss", rb"[\x02\x03]dss"),
    Format("Sony OpenMG", "oma", "oma aa3 at3", rb"ea3\x03"),
    Format("Creative voice", "voc", "voc", rb"Creative Voice File"),
    Format("NIST Sphere", "nistsphere", "sph nist", rb"NIST_1A"),
    Format("Qualcomm voice", "qcp", "qcp", rb"RIFF....QLCM"),
    Format("Dahua", "dhav", "dav", rb"DHAV[\xf0-\xff]|DAHUA"),
    Format("Windows TV", "wtv", "wtv", rb"\xb7\xd8\x00\x20\x37\x49\xda\x11"),
    Format("NUT", "nut", "nut", rb"nut/multimedia container"),
)  # fmt: skip
SUFFIXES = frozenset(suffix for row in TABLE for suffix in row.suffixes.split())
DEMUXERS = ",".join(row.demuxers for row in TABLE if row.demuxers)
SILK = re.compile(rb"\x02?#!SILK")  # WeChat puts a byte before it
# Suffixes that other programs use as well: such files are looked into first.
SHARED_SUFFIXES = frozenset(
    {"ts", "mod", "tod", "dav", "aud", "tp", "snd", "dff", "ra", "nist", "mpc", "at3"}
)
_LOAS = 0x56
_BEGINS = tuple((row.name, re.compile(row.begins, re.DOTALL)) for row in TABLE)


def format_of(head: bytes) -> str:
    """Return the name of the format that a file's first :data:`HEAD_BYTES` show; "" where none is known.

    Two bytes of MPEG audio, AAC or AC-3 prove little: see :func:`looks_like_sound`.
    """
    return next((name for name, pattern in _BEGINS if pattern.match(head)), "")


def looks_like_sound(head: bytes) -> bool:
    """Whether a file that its name does not tell is a recording, by its first :data:`HEAD_BYTES`.

    Formats that are told by two bytes need a second frame where the first one ends; text is no recording,
    whatever its first letters spell.
    """
    if head.isascii() and b"\0" not in head:
        return False
    name = format_of(head)
    if name == "MPEG audio" and not head.startswith(b"ID3"):
        return _second_frame(head, _mpeg_frame_bytes(head))
    if name == "AAC":
        return _second_frame(head, _aac_frame_bytes(head))
    return bool(name) and name != "AC-3"


def _second_frame(head: bytes, length: int) -> bool:
    if not 0 < length < len(head) - 2 or head[length] != head[0]:
        return False
    return head[length + 1] == head[1] or (head[0] == _LOAS and head[length + 1] >= 0xE0)  # noqa: PLR2004 (11 bits)


def _aac_frame_bytes(head: bytes) -> int:
    """Return the length of the AAC frame that a file begins with (ADTS: 13 bits, LOAS: 13 behind 3 bytes)."""
    if len(head) < 7:  # noqa: PLR2004 (a header)
        return 0
    if head[0] == _LOAS:
        return ((head[1] & 0x1F) << 8 | head[2]) + 3
    return (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5


def _mpeg_frame_bytes(head: bytes) -> int:
    """Return the length of the MPEG audio frame that a file begins with; 0: none (ISO 11172-3)."""
    if len(head) < 4:  # noqa: PLR2004 (a header)
        return 0
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    rate_index, sampling = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or rate_index in (0, 15) or sampling == 3:  # noqa: PLR2004 (reserved)
        return 0
    is_first = version == 3  # noqa: PLR2004 (MPEG 1)
    kilobits = _KILOBITS[(is_first, layer)][rate_index - 1]
    hz = (44_100, 48_000, 32_000)[sampling] >> {3: 0, 2: 1, 0: 2}[version]
    padding = head[2] >> 1 & 1
    if layer == 1:
        return (12_000 * kilobits // hz + padding) * 4
    per_frame = 72_000 if layer == 3 and not is_first else 144_000  # noqa: PLR2004 (half a frame)
    return per_frame * kilobits // hz + padding


_KILOBITS = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
