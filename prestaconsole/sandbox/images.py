"""The images resource (WEBSERVICE §7.8): of products, of what has one image, and general ones. Imports the sandbox."""

import base64
from collections.abc import Iterable
from email.parser import BytesParser

from prestaconsole.sandbox import pictures
from prestaconsole.sandbox.context import Context
from prestaconsole.sandbox.exchange import Answer
from prestaconsole.sandbox.image_types import types_of
from prestaconsole.sandbox.output import HEAD, TAIL
from prestaconsole.sandbox.pictures import JPEG, PNG, WEBP, Picture
from prestaconsole.sandbox.query import number
from prestaconsole.sandbox.refusal import PlainAnswer, Refusal, did_you_mean, fatal
from prestaconsole.sandbox.storage import ASSOCIATIONS
from prestaconsole.sandbox.versions import Version

_XML = ("content-type", "text/xml;charset=utf-8")
_SINGLES = ("categories", "manufacturers", "suppliers", "stores")
_KINDS = ("general", "products", *_SINGLES, "customizations")
_GENERAL = ("header", "mail", "invoice", "store_icon")
_NOT_ON_DISK = "This image does not exist on disk"
_EXISTS = (65, "This image already exists. To modify it, please use the PUT method")


def answer(context: Context, segments: list[str]) -> Answer:
    """The answer below /api/images."""
    kind, owner, image, size = (*segments[1:5], "", "", "", "")[:4]
    if not kind:
        return _xml(_kinds(context))
    if kind == "general":
        return _general(context, owner)
    if kind == "customizations":
        raise PlainAnswer(404, webservice=True)  # the sandbox's customers type texts, they send no pictures
    if kind not in _KINDS:
        raise Refusal(400, (48, did_you_mean(f'Image of type "{kind}" does not exist', kind, list(_KINDS))))
    if owner == "default":
        return _default(context, kind, image, size)
    if not owner:
        if context.method != "GET":
            raise Refusal(405, (55, "This method is not allowed for listing category images."))
        return _xml(_listed(context, kind))
    if kind in _SINGLES:
        return _single(context, f"{kind}/{int(number(owner))}", kind, image)
    return _of_products(context, int(number(owner)), image, size)


def _of_products(context: Context, id_product: int, image: str, size: str) -> Answer:
    shop, known = context.shop, context.shop.images.get(id_product, [])
    if context.method in ("POST", "PUT"):
        return _upload(context, id_product, image)
    if context.method == "DELETE":
        return _remove(context, id_product, int(number(image)))
    if not image and not known and shop.version.generation == (1, 6):
        raise PlainAnswer(500, "", [_XML], webservice=True)  # seen once, cause unknown (F6)
    if not image and not known:
        raise PlainAnswer(404, webservice=True)
    if not image:
        return _xml(_of_product(context, id_product, known))
    wanted = _cover(context, id_product) if image == "bin" else int(number(image))
    if wanted not in known:
        raise Refusal(400, (57, "This image id does not exist"))
    return _binary(_sized(context, "products", _picture(context, wanted), size))


def _cover(context: Context, id_product: int) -> int:
    row = context.shop.tables["products"].get(id_product)
    return int((row or {}).get("id_default_image") or 0)


def _picture(context: Context, image: int) -> Picture:
    usual = Picture(_kept_as(context.shop.version, PNG), 300, 300, image)
    return context.shop.pictures.get(str(image), usual)


def _sized(context: Context, kind: str, picture: Picture, size: str) -> Picture:
    """The picture in the size of an image type; raises Refusal 58 for a type there is none of."""
    if not size:
        return picture
    sizes = {entry.name: entry for entry in types_of(context.shop, kind)}
    if size not in sizes:
        raise Refusal(400, (58, did_you_mean("This image size does not exist", size, sorted(sizes))))
    return picture.sized(sizes[size].width, sizes[size].height)


def _binary(picture: Picture) -> Answer:
    return Answer(200, [("content-type", picture.kind)], picture.content())


def _kept_as(version: Version, kind: str) -> str:
    """The type an uploaded picture has afterwards: the shop encodes each anew (R64)."""
    if version.generation <= (1, 6):
        return JPEG
    if version.generation >= (9, 0):
        return JPEG if kind == JPEG else PNG
    return PNG if kind == PNG else JPEG


# -- one image for each: categories, manufacturers, suppliers, stores, and each kind's default --------------------


def _single(context: Context, key: str, kind: str, size: str) -> Answer:
    kept = context.shop.pictures
    if size and context.method in ("GET", "HEAD"):
        usual = kept.get(key) or Picture(JPEG, 1, 1, 0)
        shown = _sized(context, kind, usual, size)
        if key not in kept:
            raise Refusal(500, (59, _NOT_ON_DISK))
        return _binary(shown)
    if context.method == "DELETE":
        if kept.pop(key, None) is not None:
            context.shop.writes += 1
        return Answer(200)
    if context.method == "POST" and key in kept:
        raise Refusal(400, _EXISTS)
    if context.method != "POST" and key not in kept:
        raise Refusal(500, (63 if context.method == "PUT" else 61, _NOT_ON_DISK))
    if context.method in ("POST", "PUT"):
        # Beside products every picture is kept as a jpg.
        kept[key] = pictures.kept(_sent(context)[0], JPEG)
        context.shop.writes += 1
    return _binary(kept[key])


def _default(context: Context, kind: str, iso: str, size: str) -> Answer:
    table = context.shop.tables["languages"]
    known = {table.value(row, "iso_code"): int(row["id"]) for row in table if table.value(row, "active") == "1"}
    if not iso and context.method == "GET":
        place, mimes = f"{context.style.base}images/{kind}/default", ", ".join(_types(context))
        rights = f'get="true" put="true" post="true" delete="true" head="true" upload_allowed_mimetypes="{mimes}"'
        rows = [f'<language id="{id}" iso="{one}" xlink:href="{place}/{one}" {rights}/>\n' for one, id in known.items()]
        return _xml(f"{HEAD}<languages>\n{''.join(rows)}</languages>\n{TAIL}")
    for one, id in known.items():
        context.shop.pictures.setdefault(f"{kind}/default/{one}", Picture(JPEG, *(250, 250), id))
    return _single(context, f"{kind}/default/{iso}", kind, size)


def _general(context: Context, name: str) -> Answer:
    base, mimes = context.style.base, ", ".join(_types(context))
    if not name:
        rights = 'get="true" put="true" post="false" delete="false" head="true"'
        rows = [
            f'<{one} xlink:href="{base}images/general/{one}" {rights} upload_allowed_mimetypes="{mimes}"/>\n'
            for one in _GENERAL
        ]
        return _xml(f"{HEAD}<general_image_types>\n{''.join(rows)}</general_image_types>\n{TAIL}")
    if name not in _GENERAL:
        text = did_you_mean(f'General image of type "{name}" does not exist', name, list(_GENERAL))
        raise Refusal(400, (53, text))
    code = 49 + _GENERAL.index(name)
    if context.method not in ("GET", "HEAD", "PUT"):
        raise Refusal(405, (code, "This method is not allowed with general image resources."))
    kept, key = context.shop.pictures, f"general/{name}"
    if context.method == "PUT":
        kept[key] = pictures.kept(_sent(context)[0], JPEG)
        context.shop.writes += 1
    return _binary(kept.get(key) or Picture(JPEG, 200, 40, code))


# -- lists ---------------------------------------------------------------------------------------------------------


def _xml(text: str) -> Answer:
    return Answer(200, [_XML], text.encode())


def _types(context: Context) -> list[str]:
    webp = ["image/webp"] if context.shop.version.patches else []
    return ["image/gif", "image/jpg", "image/jpeg", "image/pjpeg", "image/png", *webp, "image/x-png"]


def _kinds(context: Context) -> str:
    base, mimes = context.style.base, ", ".join(_types(context))
    patch = ' patch="false"' if context.shop.version.patches else ""
    rights = f'get="true" put="false" post="false"{patch} delete="false" head="true"'
    rows = [
        f'<{kind} xlink:href="{base}images/{kind}" {rights} upload_allowed_mimetypes="{mimes}"/>\n' for kind in _KINDS
    ]
    return f"{HEAD}<image_types>\n{''.join(rows)}</image_types>\n{TAIL}"


def _listed(context: Context, kind: str) -> str:
    base, shop = context.style.base, context.shop
    types = [
        f'<image_type id="{entry.id}" name="{entry.name}" xlink:href="{base}image_types/{entry.id}"/>\n'
        for entry in types_of(shop, kind)
    ]
    owners: Iterable[int] = sorted(shop.images)
    if kind != "products":
        keys = (key.partition("/") for key in shop.pictures)
        owners = sorted(int(owner) for name, _, owner in keys if name == kind and owner.isdigit())
    images = [f'<image id="{owner}" xlink:href="{base}images/{kind}/{owner}"/>\n' for owner in owners]
    return f"{HEAD}<image_types>\n{''.join(types)}</image_types>\n<images>\n{''.join(images)}</images>\n{TAIL}"


def _of_product(context: Context, id_product: int, known: list[int]) -> str:
    base = context.style.base
    rows = [f'<declination id="{image}" xlink:href="{base}images/products/{id_product}/{image}"/>\n' for image in known]
    return f'{HEAD}<image id="{id_product}">\n{"".join(rows)}</image>\n{TAIL}'


# -- writes ---------------------------------------------------------------------------------------------------------


def _upload(context: Context, id_product: int, image: str) -> Answer:
    shop = context.shop
    known = shop.images.get(id_product, [])
    if context.method == "PUT" and int(number(image)) not in known:
        raise Refusal(400, (57, "This image id does not exist"))
    if context.method == "POST" and int(number(image)) in known:
        raise Refusal(400, _EXISTS)
    content, kind = _sent(context)
    shop.writes += 1
    if context.method == "PUT":
        # What replaces a picture is kept in that one's type, whatever was sent.
        shop.pictures[image] = pictures.kept(content, _picture(context, int(number(image))).kind)
        return _binary(shop.pictures[image])
    kept = pictures.kept(content, _kept_as(shop.version, kind))
    if id_product not in shop.tables["products"]:
        raise Refusal(400, (76, f"Product {id_product} does not exists"))
    shop.last_image = 1 + max((number for listed in shop.images.values() for number in listed), default=shop.last_image)
    known = shop.images.setdefault(id_product, [])
    known.append(shop.last_image)
    shop.pictures[str(shop.last_image)] = kept
    product = shop.tables["products"].update(id_product, {})
    links = product.setdefault(ASSOCIATIONS, {})
    links["images"] = [*links.get("images", ()), {"id": str(known[-1])}]
    if not product.get("id_default_image"):
        product["id_default_image"] = str(known[-1])
    return _xml(_uploaded(context, id_product, known, kept.content()))


def _sent(context: Context) -> tuple[bytes, str]:
    """The picture a request brings, and its type. Raises Refusal 66, 72 or 76."""
    version = context.shop.version
    # PHP reads uploaded files of a POST alone, so a true PUT brings none (R63).
    content = _sent_image(context) if context.request.method == "POST" else None
    if content is None:
        if context.method == "POST" and version.generation <= (1, 6):
            raise Refusal(500, (66, "Unable to save this image"))
        raise Refusal(400, (76, 'Please set an "image" parameter with image data for value'))
    return content, _checked(version, content)


def _checked(version: Version, content: bytes) -> str:
    """The type of a picture sent; the content decides, not its name (R61). Raises Refusal 72 or 76."""
    most = 2000 if version.patches else 3000
    if len(content) > most * 1000:
        raise Refusal(400, (72, f"The image size is too large (maximum allowed is {most} KB)"))
    kind = pictures.kind_of(content)
    if (kind == WEBP and not version.patches) or content[4:12] == b"ftypavif":
        listed = "gif, jpg, jpeg, jpe, png, webp" if version.patches else ".gif, .jpg, .png"
        text = f"Image upload error : Image format not recognized, allowed formats are: {listed}"
        raise Refusal(400, (76, text))
    if not kind:
        raise Refusal(400, *_not_an_image(version))
    return kind


def _sent_image(context: Context) -> bytes | None:
    kind = context.request.headers.get("content-type", "")
    head = f"content-type: {kind}\r\n\r\n".encode("latin-1")
    for part in BytesParser().parsebytes(head + context.request.body).walk():
        if part.get_param("name", header="content-disposition") == "image":
            data = part.get_payload(decode=True)
            return data if isinstance(data, bytes) else None
    return None


def _not_an_image(version: Version) -> list[tuple[int | None, str]]:
    if version.generation <= (1, 6):
        text = "Image upload error : Image format not recognized, allowed formats are: .gif, .jpg, .png"
        return [(76, text)]
    told = {(8, 0): "Read error!", (9, 0): "Error reading from /var/www/prestashop/img/tmp-upload"}
    listed: list[tuple[int | None, str]] = [(76, "An error occurred while copying image")]
    if version.generation in told:
        line = f"[PHP Notice #8] getimagesize(): {told[version.generation]} "
        listed.insert(0, (5, f"{line}(/var/www/prestashop/classes/ImageManager.php, line 210)"))
    return listed


def _uploaded(context: Context, id_product: int, known: list[int], content: bytes) -> str:
    base = context.style.base
    legend = "".join(
        f'<language id="{language}" xlink:href="{base}languages/{language}"><![CDATA[]]></language>'
        for language in context.style.languages
    )
    cover = "1" if len(known) == 1 else ""
    facts = {"id": known[-1], "id_product": id_product, "position": len(known), "cover": cover}
    nodes = "".join(f"<{name}><![CDATA[{value}]]></{name}>\n" for name, value in facts.items())
    picture_text = base64.b64encode(content).decode()
    return (
        f"{HEAD}<image>\n{nodes}<legend>{legend}</legend>\n</image>\n"
        f'<content encode="base64"><![CDATA[{picture_text}]]></content>\n{TAIL}'
    )


def _remove(context: Context, id_product: int, image: int) -> Answer:
    known = context.shop.images.get(id_product, [])
    if image not in known:
        raise Refusal(400, (57, "This image id does not exist"))
    shop = context.shop
    shop.last_image = max(shop.last_image, *(number for listed in shop.images.values() for number in listed))
    known.remove(image)
    if not known:
        del context.shop.images[id_product]
    if id_product in shop.tables["products"]:
        product = shop.tables["products"].update(id_product, {})
        links = product.setdefault(ASSOCIATIONS, {})
        links["images"] = [entry for entry in links.get("images", ()) if entry["id"] != str(image)]
        if product.get("id_default_image") == str(image):
            product["id_default_image"] = ""
    shop.writes += 1
    if shop.version.generation >= (9, 0):
        raise fatal()  # it is done all the same (R65)
    return Answer(200)
