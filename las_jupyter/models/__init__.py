"""
Which model was meant, whether it is here already, and how to fetch it whole or not at all.

``reference`` reads what the user typed, ``locate`` looks without touching the network, ``fetch`` downloads.
"""
