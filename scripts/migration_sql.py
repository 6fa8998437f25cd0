"""What a migration must not do while the old code serves (fault 21): nothing that the old code would fall over, nothing
that holds a lock for as long as a table is large. Judged by the SQL that `sqlmigrate` prints."""

import re

CREATED = re.compile(r'CREATE TABLE "(\w+)"')
OLD_NAME = "the old code asks for the old name: add the new one first, remove the old one a release later"
STILL_READ = "the old code still reads it: take it out of the models a release earlier, keeping the column"
NULLS = "reads the whole table under a lock, and the old code writes NULL: validate a CHECK first"
NOT_FILLED = "the old code does not fill it: null=True or db_default"
RULES = {
    r"RENAME (COLUMN|TO)\b": OLD_NAME,
    r"DROP (COLUMN|TABLE)\b": STILL_READ,
    r"ALTER COLUMN \S+ TYPE": "rewrites the table under a lock: add another column",
    r"ALTER COLUMN \S+ SET NOT NULL": NULLS,
    r"CREATE (UNIQUE )?INDEX (?!CONCURRENTLY)": "blocks writes while it is built: AddIndexConcurrently",
    r"ADD CONSTRAINT \S+ (UNIQUE|PRIMARY KEY|EXCLUDE)": "builds an index under a lock: build it CONCURRENTLY first",
    r"ADD CONSTRAINT \S+ (CHECK|FOREIGN KEY)(?!.*NOT VALID)": "reads the whole table under a lock: add it NOT VALID",
    r"ADD COLUMN (?=.*NOT NULL)(?!.*DEFAULT)": NOT_FILLED,
    r"ALTER COLUMN \S+ DROP DEFAULT": NOT_FILLED,
}


def dangers(sql: str) -> list[str]:
    """One line for each statement that is not safe while old and new code serve. Tables that this migration makes are
    nobody's yet, so anything goes there."""
    fresh = set(CREATED.findall(sql))
    found = []
    for statement in (part.strip() for part in sql.split(";")):
        statement = "\n".join(line for line in statement.splitlines() if not line.startswith("--")).strip()
        table = re.search(r'(?:ALTER TABLE|ON|DROP TABLE)\s+(?:IF EXISTS\s+|ONLY\s+)?"(\w+)"', statement)
        if table and table[1] in fresh:
            continue
        found += [f"{statement[:100]}: {why}" for pattern, why in RULES.items() if re.search(pattern, statement)]
    return found
