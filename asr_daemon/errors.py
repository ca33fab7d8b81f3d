"""Everything that can go wrong, each with the sentence that a person reads and whether trying again can help.

Two kinds. An :class:`OperatorError` ends a command (one sentence on stderr, the class's exit code). A
:class:`WorkError` befalls the work, and its family says whose it is: a :class:`JobError` the recording's (a
failure file in the share, a row in the history), a :class:`ShareUnavailableError` the share's, a
:class:`HistoryUnavailableError` the state folder's, an :class:`EngineUnavailableError` the model's or the
device's. The docstring is the default message.
"""

from __future__ import annotations

import enum
from typing import ClassVar

from asr_daemon.sentence import Sentence


class Retry(enum.Enum):
    """Whether, and how, a failed recording is tried again."""

    NEVER = "never"  # the recording's own fault: only a new file, or a person's word, helps
    LATER = "later"  # may pass: tried again after a pause, an attempt is spent
    WHEN_CLEARED = "when_cleared"  # not the recording's fault: the queue waits, no attempt is spent


class AsrDaemonError(Exception):
    """Something went wrong."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])


# ------------------------------------------------------------------ what ends a command


class OperatorError(AsrDaemonError):
    """The command could not be carried out."""

    exit_code: ClassVar[int] = 1


class UsageError(OperatorError):
    """The command was called in a way that it does not understand."""

    exit_code = 2


class ToldError(OperatorError):
    """Something that a department reads as well: a sentence in each language, both in the message."""

    def __init__(self, english: str, chinese: str) -> None:
        self.english, self.chinese = english, chinese
        super().__init__(f"{english}（{chinese}）")


class ConfigurationError(OperatorError):
    """The configuration has problems; each is named with its key and its fix."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class StateFolderHeldError(OperatorError):
    """Another asr-daemon holds the state folder."""

    exit_code = 75


# ------------------------------------------------------------------ what befalls the work


class WorkError(AsrDaemonError):
    """Something failed."""

    code: ClassVar[str] = "failed"  # the failure's class, as in `retry --class`
    retry: ClassVar[Retry] = Retry.LATER
    chinese: ClassVar[str] = "转写时发生错误。"  # what happened
    remedy: ClassVar[str] = "系统会自动重试；如果一直失败，请联系管理员。"  # what to do

    def __init__(self, message: str = "", *, evidence: str = "") -> None:
        super().__init__(message)
        self.evidence = evidence  # ffmpeg's words, a traceback: for the administrator

    @property
    def sentence(self) -> Sentence:
        """What it says, and in Chinese what happened and what to do."""
        return Sentence(str(self), self.chinese + self.remedy)


# ------------------------------------------------------------------ one recording's


class JobError(WorkError):
    """The recording could not be transcribed."""


class EmptyFileError(JobError):
    """The file is empty (zero bytes)."""

    code = "empty_file"
    retry = Retry.NEVER
    chinese = "这个文件是空的（0 字节），里面没有录音。"
    remedy = "请检查录音是否保存成功，然后重新复制一份到这个文件夹。"


class NotDecodableError(JobError):
    """The file is not a recording that can be decoded; it may be damaged or of another type."""

    code = "not_decodable"
    retry = Retry.NEVER
    chinese = "这个文件无法作为录音打开：可能已损坏、没有复制完整，或者不是录音文件。"
    remedy = "请先在电脑上试听；如果能播放，请另存为 MP3 或 WAV 后重新放进这个文件夹。"


class SilkError(JobError):
    """The file is a WeChat voice message in Tencent's SILK format, which nothing here decodes."""

    code = "silk"
    retry = Retry.NEVER
    chinese = "这个文件是微信语音（SILK 格式），系统不能直接转写。"
    remedy = "请在微信里播放并录屏或另行录音，或用 SILK 转换工具把它另存为 MP3 或 WAV，再放进这个文件夹。"


class NoAudioError(JobError):
    """The file holds no sound track."""

    code = "no_audio"
    retry = Retry.NEVER
    chinese = "这个文件里没有声音轨道。"
    remedy = "如果是视频，请确认录制时打开了麦克风；请换一个有声音的文件。"


class TooLongError(JobError):
    """The recording is longer than the configured limit."""

    code = "too_long"
    retry = Retry.NEVER
    chinese = "这个录音超过了允许的最长时间。"
    remedy = "请把录音剪成几段后重新放进这个文件夹，或请管理员调高上限。"


class TooLargeError(JobError):
    """The file is larger than the configured limit."""

    code = "too_large"
    retry = Retry.NEVER
    chinese = "这个文件太大，超过了这个文件夹允许的大小。"
    remedy = "请把录音剪成几段，或另存为 MP3 后重新放进这个文件夹，或请管理员调高上限。"


class NotReadableError(JobError):
    """The service has no right to read the file."""

    code = "not_readable"
    retry = Retry.WHEN_CLEARED
    chinese = "系统没有权限读取这个文件。"
    remedy = "请联系管理员检查这个文件夹的权限；权限修好后会自动转写。"


class ReadFailedError(JobError):
    """Reading the recording failed (input/output error)."""

    code = "read_failed"
    chinese = "读取这个文件时出错，可能是磁盘或网络暂时有问题。"


class RecordingGoneError(JobError):
    """The recording disappeared or changed while it was being transcribed."""

    code = "recording_gone"
    retry = Retry.WHEN_CLEARED
    chinese = "这个文件在转写过程中被移走或改动了。"
    remedy = "无需操作；文件稳定后会自动重新转写。"


class OutOfMemoryError(JobError):
    """There was not enough memory to recognise the recording."""

    code = "out_of_memory"
    chinese = "转写时内存（或显存）不足。"
    remedy = "请联系管理员检查内存和显存；够用之后再重试。"


class RecogniserHungError(JobError):
    """The recogniser made no progress and was ended."""

    code = "recogniser_hung"
    chinese = "转写程序长时间没有进展，已被重新启动。"


class RecogniserCrashedError(JobError):
    """The recogniser process ended unexpectedly."""

    code = "recogniser_crashed"
    chinese = "转写程序意外退出。"


class KilledForMemoryError(OutOfMemoryError, RecogniserCrashedError):
    """The kernel ended the recogniser process for want of memory."""


class InterruptedJobError(JobError):
    """The daemon was ended while the recording was in work."""

    code = "interrupted"
    chinese = "转写过程被中断。"


class InternalError(JobError):
    """An unexpected error in the program itself."""

    code = "internal"


# ------------------------------------------------------------------ the model's, or the device's


class EngineUnavailableError(WorkError):
    """The recogniser cannot work at present: the queue waits."""

    code = "engine_unavailable"
    retry = Retry.WHEN_CLEARED
    chinese = "转写程序暂时不可用。"
    remedy = "请联系管理员；恢复后会自动转写。"


class RecogniserNotStartedError(EngineUnavailableError):
    """The recogniser could not be started."""

    code = "recogniser_not_started"
    retry = Retry.WHEN_CLEARED
    chinese = "转写程序暂时无法启动。"
    remedy = "请联系管理员；恢复后会自动转写。"


class ModelMissingError(EngineUnavailableError):
    """The recognition model is missing or broken."""

    code = "model_missing"
    retry = Retry.WHEN_CLEARED
    chinese = "识别模型尚未就绪。"
    remedy = "请联系管理员；模型就绪后会自动转写。"


class DeviceMissingError(EngineUnavailableError):
    """The device that the configuration asks for is not there."""

    code = "device_missing"
    retry = Retry.WHEN_CLEARED
    chinese = "识别所需的显卡暂时不可用。"
    remedy = "请联系管理员；恢复后会自动转写。"


class MachineLostError(EngineUnavailableError):
    """The machine that recognised is gone, or can no longer be reached."""

    code = "machine_lost"
    retry = Retry.WHEN_CLEARED
    chinese = "负责识别的机器暂时连不上。"
    remedy = "系统会自动换一台机器继续；如果一直如此，请联系管理员。"


class ClusterAwayError(EngineUnavailableError):
    """No other machine can take a recording at present."""

    code = "cluster_away"
    retry = Retry.WHEN_CLEARED
    chinese = "识别集群暂时不可用。"
    remedy = "请联系管理员；恢复后会自动转写。"


# ------------------------------------------------------------------ live captions'


class LiveError(WorkError):
    """The live captions cannot go on."""

    code = "live_failed"
    chinese = "实时字幕中断了。"
    remedy = "请重新开始；如果一直失败，请联系管理员。"


class LiveFullError(LiveError):
    """As many live sessions are open as may be; one of them has to end first."""

    code = "live_full"
    chinese = "同时进行的实时字幕已达上限。"
    remedy = "请等其他人结束后再试。"


class LiveNotSoundError(LiveError):
    """What was sent is no sound: raw int16 samples at 16 kHz, mono, are expected."""

    code = "live_not_sound"
    retry = Retry.NEVER
    chinese = "收到的不是声音：应为 16 kHz、单声道、16 位的原始 PCM。"
    remedy = "请检查发送程序的设置。"


class LiveNotReadError(LiveError):
    """The captions were not read for too long."""

    code = "live_not_read"
    chinese = "字幕长时间没有被读取，已断开。"
    remedy = "请重新连接。"


# ------------------------------------------------------------------ a share's


class ShareUnavailableError(WorkError):
    """The folder of an inbox cannot be used at present: what belongs to it waits."""

    code = "share_unavailable"
    retry = Retry.WHEN_CLEARED
    chinese = "共享文件夹暂时不可用。"
    remedy = "无需操作；恢复后会自动继续。"


class InboxGoneError(ShareUnavailableError):
    """The inbox folder is not there, or its share is not mounted."""

    code = "inbox_gone"
    retry = Retry.WHEN_CLEARED
    chinese = "共享文件夹暂时不可用。"
    remedy = "无需操作；恢复后会自动继续。"


class InboxReadOnlyError(ShareUnavailableError):
    """The inbox folder cannot be written to."""

    code = "inbox_read_only"
    retry = Retry.WHEN_CLEARED
    chinese = "系统不能在这个文件夹里写入文字稿（只读，或没有写入权限）。"
    remedy = "请联系管理员检查这个文件夹的权限；权限修好后会自动继续。"


class DiskFullError(ShareUnavailableError):
    """The disk is full."""

    code = "disk_full"
    retry = Retry.WHEN_CLEARED
    chinese = "磁盘空间已满，文字稿暂时写不下。"
    remedy = "请清理空间或联系管理员；有空间后会自动继续。"


class WriteFailedError(ShareUnavailableError):
    """Writing the transcript failed (input/output error)."""

    code = "write_failed"
    chinese = "写入文字稿时出错，可能是磁盘或网络暂时有问题。"


# ------------------------------------------------------------------ the state folder's


class HistoryUnavailableError(WorkError):
    """The history cannot be used at present: nothing is begun, and what was done is kept until it can be."""

    code = "history_unavailable"
    retry = Retry.WHEN_CLEARED
    chinese = "系统的记录暂时无法写入。"
    remedy = "无需操作；恢复后会自动继续。"


class HistoryFullError(HistoryUnavailableError):
    """The disk of the state folder is full."""

    code = "history_full"
    chinese = "服务器的磁盘空间已满，转写暂停。"
    remedy = "请联系管理员；有空间后会自动继续。"


class HistoryFailedError(HistoryUnavailableError):
    """The history could not be read or written (input/output error)."""

    code = "history_failed"


class HistoryDamagedError(HistoryUnavailableError):
    """The history is damaged."""

    code = "history_damaged"
    chinese = "系统的记录文件已损坏，转写暂停。"
    remedy = "请联系管理员用备份恢复；恢复后会自动继续。"


def work_error(code: str, message: str = "", evidence: str = "") -> WorkError:
    """Return the failure of that class, as it came over the wire or out of the history."""
    kinds: list[type[WorkError]] = [WorkError]
    for kind in kinds:
        if kind.code == code:
            return kind(message, evidence=evidence)
        kinds += kind.__subclasses__()
    return InternalError(f"{code}: {message}", evidence=evidence)
