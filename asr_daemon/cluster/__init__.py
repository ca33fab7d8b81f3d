"""Recognisers on other machines, by way of Ray: the bridge, and what runs on each of those machines.

The daemon imports nothing from here, and neither Ray nor a network: it meets the bridge by
:mod:`asr_daemon.dispatch.cluster_messages`.
"""
