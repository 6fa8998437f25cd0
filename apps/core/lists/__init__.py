"""Lists: search, filters, sorting, keyset paging, saved views, CSV and bulk actions, said once for all of them.

An app describes a list in its `lists.py` and shows it with `show(request, project, LIST, "app/noun_list.html")`; the
page includes `ui/list.html`. URL, palette, golden query counts and benchmark follow from the description.
"""

from apps.core.lists.show import show
from apps.core.lists.spec import Bulk, Column, Empty, Filter, List, all_lists, get, register

__all__ = ["Bulk", "Column", "Empty", "Filter", "List", "all_lists", "get", "register", "show"]
