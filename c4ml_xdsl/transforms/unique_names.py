"""Names that are taken once."""


def unique_name(wanted: str, taken: set[str]) -> str:
    """`wanted`, or with the first number behind it that makes it new; it's added to those taken."""
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}_{count}"
    taken.add(name)
    return name
