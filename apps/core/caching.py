"""Redis as a cache that may go away: then it holds nothing, instead of failing the request."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)
Method = Callable[..., Any]


def forgiving(answer: Any) -> Callable[[Method], Method]:
    """What a method answers while Redis is away."""

    def decorate(method: Method) -> Method:
        @wraps(method)
        def ask(*args: Any, **kwargs: Any) -> Any:
            try:
                return method(*args, **kwargs)
            except RedisError as error:
                log.warning("the cache is away: %s", error)
                return answer

        return ask

    return decorate


class ForgetfulRedisCache(RedisCache):
    """Nothing true lives in here, only counters of failed sign-ins: while Redis is away those are not counted."""

    set = forgiving(None)(RedisCache.set)
    add = forgiving(True)(RedisCache.add)
    touch = forgiving(False)(RedisCache.touch)
    delete = forgiving(False)(RedisCache.delete)
    has_key = forgiving(False)(RedisCache.has_key)
    get_many = forgiving({})(RedisCache.get_many)
    set_many = forgiving([])(RedisCache.set_many)
    delete_many = forgiving(None)(RedisCache.delete_many)
    clear = forgiving(False)(RedisCache.clear)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        return forgiving(default)(super().get)(key, default, version)

    def get_or_set(self, key: str, default: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> Any:
        """Without Redis the value is made anew every time."""
        value = self.get(key, None, version)
        if value is None:
            value = default() if callable(default) else default
            self.set(key, value, timeout, version)
        return value

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Away, every count is the first."""
        return int(forgiving(delta)(super().incr)(key, delta, version))
