"""One PrestaShop over HTTP: address, transport, query, codec, errors, doctor. May import redaction, errors, clock."""
