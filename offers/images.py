"""Pictures of offers: what a company uploads is decoded and drawn anew, so that nothing but pixels gets to members."""

import io
import warnings
from typing import BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError

from goalgraph.errors import Invalid

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 4096
"""Of each side."""
FORMATS = ("JPEG", "PNG", "WEBP")
"""What Pillow tries at all: each further decoder would be one more that strangers' bytes get to."""
CONTENT_TYPE = "image/webp"

_QUALITY = 82


def redrawn(upload: BinaryIO, size: int, *, field: str = "image") -> bytes:
    """The picture in `upload`, of `size` bytes, as WebP: upright, its first frame, without metadata. Raises Invalid.

    Length and dimensions are looked at before a pixel is decoded, so a small file that unfolds into a huge picture costs nothing.
    """
    if size > MAX_BYTES:
        raise Invalid(f"At most {MAX_BYTES // 1024 // 1024} MB, please.", field=field)
    upload.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(upload, formats=FORMATS) as picture:
                if max(picture.size) > MAX_PIXELS:
                    raise Invalid(f"At most {MAX_PIXELS} pixels wide and high, please.", field=field)
                picture.load()
                upright = ImageOps.exif_transpose(picture)
                plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Invalid("This is no picture that we know. Choose a JPEG, PNG or WebP file.", field=field) from error
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:  # what Pillow's decoders raise on a broken file
        raise Invalid("This picture is damaged. Save it again and choose the new file.", field=field) from error
    plain.info.clear()
    drawn = io.BytesIO()
    plain.save(drawn, "WEBP", quality=_QUALITY)
    return drawn.getvalue()
