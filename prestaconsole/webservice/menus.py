"""Where things stand in the menus of a shop's back office, version by version. Imports nothing of ours.

Texts are written with the names of PrestaShop 1.7 and later; ``for_version`` puts them as that shop shows them.
"""

WEBSERVICE = "Advanced Parameters > Webservice"
PERFORMANCE = "Advanced Parameters > Performance"
TRAFFIC = "Shop Parameters > Traffic & SEO"
PRODUCTS = "Shop Parameters > Product Settings"
STATES = "Shop Parameters > Order Settings > Statuses"
GENERAL = "Shop Parameters > General"
LOCALIZATION = "International > Localization"
LANGUAGES = "International > Localization > Languages"
CARRIERS = "Shipping > Carriers"

# 1.5 and 1.6 have one level less and other names; the webservice's own page is called alike in all versions.
_OLD = (
    (TRAFFIC, "Preferences > SEO & URLs"),
    (PRODUCTS, "Preferences > Products"),
    (STATES, "Orders > Statuses"),
    (GENERAL, "Preferences > General"),
    (LANGUAGES, "Localization > Languages"),
    (LOCALIZATION, "Localization > Localization"),
)
_SECTIONS = (
    ("Advanced Parameters >", "Configure > Advanced Parameters >"),
    ("Shop Parameters >", "Configure > Shop Parameters >"),
    ("International >", "Improve > International >"),
    (CARRIERS, "Improve > Shipping > Carriers"),
)


def generation(version: str) -> tuple[int, int]:
    """The major and minor number of a version such as ``8.2.1``; (0, 0) where it is unknown."""
    numbers = [int(part) if part.isdecimal() else 0 for part in version.split(".")[:2]]
    return (numbers[0], numbers[1] if len(numbers) > 1 else 0) if numbers else (0, 0)


def for_version(text: str, version: str) -> str:
    """A text whose menu paths are those of this PrestaShop version; unchanged where the version is unknown."""
    known = generation(version)
    if known == (0, 0):
        return text
    changes = _OLD if known < (1, 7) else _SECTIONS
    for ours, theirs in changes:
        if theirs not in text:
            text = text.replace(ours, theirs)
    return text
