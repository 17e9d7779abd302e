"""How PrestaShop's versions differ where a client notices (WEBSERVICE §2.5, FINDINGS). Imports nothing of ours."""

from dataclasses import dataclass

SHORT = {"1.5": "1.5.6.3", "1.6": "1.6.1.24", "1.7": "1.7.8.11", "8": "8.2.1", "9": "9.0.0"}
_OFFSET_7 = "[PHP Notice #8] Trying to access array offset on value of type bool"
_OFFSET_8 = "[PHP Warning #2] Trying to access array offset on false"
_PATH = "/var/www/prestashop/classes/webservice/WebserviceRequest.php"


@dataclass(frozen=True)
class Version:
    """One PrestaShop version and its ways."""

    number: str

    @property
    def generation(self) -> tuple[int, int]:
        """(1, 5), (1, 6), (1, 7), (8, 0) or (9, 0)."""
        major, minor = (int(part) for part in self.number.split(".")[:2])
        return (major, minor) if major == 1 else (major, 0)

    @property
    def schema(self) -> str:
        """The data file that lists this version's fields; 1.5 has 1.6's less what came later, and is unproven."""
        generation = self.generation
        if generation <= (1, 6):
            return "1.6.1.24"
        if generation <= (1, 7):
            return "1.7.8.11"
        return "8.2.1" if generation == (8, 0) else "9.0.0"

    @property
    def patches(self) -> bool:
        """PATCH exists from 8.0 (F38)."""
        return self.generation >= (8, 0)

    @property
    def json(self) -> bool:
        """JSON output exists from 1.6."""
        return self.generation >= (1, 6)

    @property
    def drops_falsy_json(self) -> bool:
        """From 8 JSON of one entity loses its zero and empty members (F30)."""
        return self.generation >= (8, 0)

    @property
    def numbers_in_json(self) -> bool:
        """9 shows many values as JSON numbers (F31)."""
        return self.generation >= (9, 0)

    @property
    def single_display(self) -> bool:
        """`display` on one entity is honoured from 1.7.8; before, named fields give an empty node (F23)."""
        return self.generation >= (1, 7)

    @property
    def hides_version(self) -> bool:
        """From 8 a refused key sees PSWS-Version 0."""
        return self.generation >= (8, 0)

    @property
    def shop_all(self) -> bool:
        """id_shop=all is answered from 8; before, it redirects to the front page (F7)."""
        return self.generation >= (8, 0)

    @property
    def empty_without_cdata(self) -> bool:
        """Up to 1.6 an empty value is an empty node without a CDATA section."""
        return self.generation <= (1, 6)

    @property
    def sha1_304(self) -> bool:
        """Local-Content-Sha1 gives 304 from 8 (F27)."""
        return self.generation >= (8, 0)

    @property
    def modern_php(self) -> bool:
        """Runs on PHP 8: an SQL error is an empty 500 instead of an empty list (F17)."""
        return self.generation >= (9, 0)

    @property
    def php_tells(self) -> bool:
        """From 1.7 PHP's own warnings about a malformed body precede error 127."""
        return self.generation >= (1, 7)

    @property
    def arrow(self) -> str:
        """How a validation text joins class and property: 8 escapes twice (F60)."""
        return "-&gt;" if self.generation == (8, 0) else "->"

    @property
    def remote_payment_state(self) -> str:
        """PS_OS_WS_PAYMENT: 12 up to 1.6, 11 from 1.7 (F53)."""
        return "12" if self.generation <= (1, 6) else "11"

    @property
    def bad_query_notices(self) -> tuple[tuple[int, str], ...]:
        """The PHP messages that follow every bad filter, display, sort, limit or schema, and make it a 500 (F3)."""
        if self.generation == (8, 0):
            return tuple((5, f"{_OFFSET_7} ({_PATH}, line {line})") for line in range(1333, 1337))
        if self.generation >= (9, 0):
            return tuple((3, f"{_OFFSET_8} ({_PATH}, line {line})") for line in range(1319, 1323))
        return ()

    @property
    def php_warning(self) -> tuple[int, str] | None:
        """What PHP 7.4 says of every call of 1.6, which was made for PHP 7.1, where its warnings are not masked."""
        if self.generation > (1, 6):
            return None
        text = "[PHP Warning #2] count(): Parameter must be an array or an object that implements Countable"
        return 3, f"{text} ({_PATH}, line 794)"

    @property
    def no_image_notice(self) -> tuple[int, str] | None:
        """What PHP 7.4 says of each product without an image that 1.7 shows, where its notices are not masked (F4)."""
        return (
            (5, f"{_OFFSET_7} (/var/www/prestashop/classes/Product.php, line 7178)")
            if self.generation == (1, 7)
            else None
        )

    @property
    def no_name_warning(self) -> tuple[int, str] | None:
        """What PHP says where a product comes without a name by language: its address cannot be made (F58)."""
        if self.generation < (1, 7):
            return None
        said = "Invalid argument supplied for foreach()"
        if self.modern_php:
            said = "foreach() argument must be of type array|object, string given"
        line = {(1, 7): 6436, (8, 0): 6612}.get(self.generation, 6553)
        return 3, f"[PHP Warning #2] {said} (/var/www/prestashop/classes/Product.php, line {line})"

    @property
    def xml_line(self) -> int:
        """The line of WebserviceRequest.php that parses the body."""
        return {(1, 7): 1506, (8, 0): 1544}.get(self.generation, 1530)

    @property
    def delete_notice(self) -> tuple[int, str] | None:
        """The PHP message of a DELETE without an id."""
        if self.generation == (8, 0):
            return 5, f"[PHP Notice #8] Undefined offset: 1 ({_PATH}, line 1485)"
        if self.generation >= (9, 0):
            return 3, f"[PHP Warning #2] Undefined array key 1 ({_PATH}, line 1471)"
        return None


def version(text: str) -> Version:
    """The version of a short ("8") or full ("8.2.1") number.

    Raises ValueError for a number PrestaShop never had.
    """
    number = SHORT.get(text, text)
    parts = number.split(".")
    if len(parts) < 2 or not all(part.isdigit() for part in parts):
        raise ValueError(f"{text!r} is no PrestaShop version: give 1.5, 1.6, 1.7, 8, 9 or a full number.")
    found = Version(number)
    if found.generation not in {(1, 5), (1, 6), (1, 7), (8, 0), (9, 0)}:
        raise ValueError(f"{text!r} is no PrestaShop version the sandbox knows: 1.5, 1.6, 1.7, 8 or 9.")
    return found
