"""Where the sandbox answers a recorded exchange otherwise than the real shop did, each with its reason.

`DEVIATIONS` holds what the sandbox does otherwise. `EARLIER_DATA` holds what only the shop's data at the time
explain: the dumps were made after the recordings, and not every exchange in between is in the folder.
"""

from collections.abc import Mapping

_TIES = "rows of equal date_upd: MySQL's file sort leaves ties in no fixed order"
_NO_RICH = "the rich shop of this version, in which this was recorded, is not among the dumps"
_STOCK_OF_NEW = "the product was made by an exchange that is not in the folder, so its stock rows' ids are not known"
_DELETED_ROW = "a stock row whose product was deleted, made by an exchange that is not in the folder"
_DELETED_PRODUCT = "the newest product was deleted before this by an exchange that is not in the folder"
_DELIVERED = "the order was shipped and got its delivery and tracking numbers after this read"
_WITHOUT_CATEGORY = "a product without category, made by an exchange that is not in the folder, came first"
_RESTORED = "the shop was restored, and written by exchanges not in the folder, before this"

DEVIATIONS: Mapping[str, Mapping[str, str]] = {
    "1.6.1.24": {"093-filter-date_upd-with-date.json": _TIES},
    "1.7.8.11": {"093-filter-date_upd-with-date.json": _TIES},
    "8.2.1": {"093-filter-date_upd-with-date.json": _TIES},
    "9.0.0": {"093-filter-date_upd-with-date.json": _TIES},
}

EARLIER_DATA: Mapping[str, Mapping[str, str]] = {
    "1.6.1.24": {
        "258-stock-rows-of-new-product.json": _STOCK_OF_NEW,
        "325-stock-or-1500-ids.json": _DELETED_ROW,
        "425-html-entities-in-description.json": _DELETED_PRODUCT,
    },
    "1.7.8.11": {
        "260-stock-rows-of-new-product.json": _STOCK_OF_NEW,
        "325-stock-or-1500-ids.json": _DELETED_ROW,
        "425-html-entities-in-description.json": _DELETED_PRODUCT,
    },
    "8.2.1": {
        "124-single-order-json.json": _DELIVERED,
        "260-stock-rows-of-new-product.json": _STOCK_OF_NEW,
        "325-stock-or-1500-ids.json": _DELETED_ROW,
        "425-html-entities-in-description.json": _DELETED_PRODUCT,
    },
    "9.0.0": {
        "124-single-order-json.json": _DELIVERED,
        "260-stock-rows-of-new-product.json": _STOCK_OF_NEW,
        "273-maintenance-mode.json": _WITHOUT_CATEGORY,
        "325-stock-or-1500-ids.json": _DELETED_ROW,
        "425-html-entities-in-description.json": _DELETED_PRODUCT,
    },
    "1.7.8.11-on-php7.4-E_NOTICE": {
        "006-get-products-json-500.json": "the shop was filled anew after this: the product's categories are not known",
    },
    "1.7.8.11-order-shop-columns": {"007-histories.json": _NO_RICH},
    "1.7.8.11-stock-shop-columns": {"005-product-associations-after.json": _NO_RICH},
    "8.2.1-multistore": {
        "194-get-stock-20-after-13.json": "the row was given to shop 2 by an exchange that is not in the folder",
        "249-patch-price-id_shop-all.json": "the row was given back to shop 1 by an exchange that is not in the folder",
        "273-put-product-full-id_shop-all.json": "the row was given back to shop 1 by an exchange not in the folder",
        "316-histories-of-212-after-put.json": _RESTORED,
        "318-order-212-after-put-without-shop-columns.json": "the write it reads back is not in the folder",
    },
}
