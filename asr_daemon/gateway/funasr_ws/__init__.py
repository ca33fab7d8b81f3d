"""FunASR's WebSocket protocol at the root path, so that its clients connect and work unchanged.

``wanted`` reads what a client asks for, ``answers`` writes what it is told, ``rate`` brings its sound to
16 kHz, ``streaming`` serves ``2pass`` and ``online``, ``offline`` takes whole files, ``routes`` is the story.
Shapes: https://github.com/modelscope/FunASR/blob/main/runtime/docs/websocket_protocol.md.
"""
