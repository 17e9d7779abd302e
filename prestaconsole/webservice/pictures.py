"""Bodies of image uploads and their answers (WEBSERVICE §7.8). May import errors, codec and answers of this room."""

import hashlib

from prestaconsole.webservice import codec
from prestaconsole.webservice.answers import Answer, number
from prestaconsole.webservice.menus import generation
from prestaconsole.webservice.query import QueryError

_KINDS = ((b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"GIF8", "gif"))
_LARGEST = 20 * 1024 * 1024


def kind_of(image: bytes) -> str:
    """jpeg, png, gif or webp by the content, '' for anything else: PrestaShop too looks at nothing but it (R61)."""
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "webp"
    return next((kind for magic, kind in _KINDS if image.startswith(magic)), "")


def multipart(image: bytes, version: str = "") -> tuple[bytes, str]:
    """The body and its content type. Raises ``QueryError`` for what no shop of this version takes."""
    kind = kind_of(image)
    if not kind:
        raise QueryError("The file is no jpg, png, gif or webp image.")
    if kind == "webp" and (0, 0) < generation(version) < (8, 0):
        raise QueryError(f"PrestaShop {version} takes no webp images.")
    if len(image) > _LARGEST:
        raise QueryError(f"The image of {len(image) // 1_000_000} MB is larger than any shop takes.")
    # a boundary made of the content: the same image gives the same body
    boundary = f"image-{hashlib.sha256(image).hexdigest()[:32]}"
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="image"; filename="image.{kind.replace("jpeg", "jpg")}"\r\n'
        f"Content-Type: image/{kind}\r\n\r\n"
    )
    return head.encode() + image + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def image_id(answer: Answer) -> int:
    """The id in the answer to an upload, 0 where there is none."""
    try:
        image = codec.parse(answer.document()).find("image")
    except codec.Unreadable:
        return 0
    return number(image.findtext("id")) if image is not None else 0
