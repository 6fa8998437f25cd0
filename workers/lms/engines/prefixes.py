"""Which beginnings of prompts an engine still holds, for engines that reuse them without saying so.

Engines keep the key/value cache in blocks of a fixed number of tokens, find a block by the hash of everything up to its
end, and overwrite the block that was used longest ago. This book follows the same rules.
"""

from collections import OrderedDict


class PrefixBook:
    """block: tokens in a block. capacity: blocks the cache has room for."""

    def __init__(self, block: int, capacity: int) -> None:
        self.block = block
        self.capacity = max(capacity, 1)
        self._blocks: OrderedDict[int, None] = OrderedDict()

    def known(self, tokens: list[int]) -> int:
        """Tokens at the start of a prompt that need no computing. The last token always does."""
        count = 0
        for key in self._keys(tokens[:-1]):
            if key not in self._blocks:
                break
            self._blocks.move_to_end(key)
            count += self.block
        return count

    def add(self, tokens: list[int]) -> None:
        """Note what was computed."""
        for key in self._keys(tokens):
            self._blocks[key] = None
            self._blocks.move_to_end(key)
        while len(self._blocks) > self.capacity:
            self._blocks.popitem(last=False)

    def _keys(self, tokens: list[int]) -> list[int]:
        keys, before = [], 0
        for start in range(0, len(tokens) - self.block + 1, self.block):
            before = hash((before, *tokens[start : start + self.block]))
            keys.append(before)
        return keys
