"""The gateway: the one port where models answer, in a process of its own.

No ORM and no Django middleware is on the way of a request. Routes and key hashes are in memory, usage goes to a file
first; so it answers on while PostgreSQL or Redis is away. `python -m apps.lms.gateway`.
"""
