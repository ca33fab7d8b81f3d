"""The gateway: console and HTTP interface, in a process that has the network and nothing else.

It asks the daemon through its socket for everything (``daemon_client``); what somebody may is decided there.
"""
