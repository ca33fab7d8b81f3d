"""OpenAI's interface for transcriptions, so that programs which speak it work unchanged.

``form`` takes the upload, ``wanted`` reads what is asked, ``answers`` writes what is told, ``errors`` says no
in OpenAI's envelope, ``routes`` is the story. See https://platform.openai.com/docs/api-reference/audio.
"""
