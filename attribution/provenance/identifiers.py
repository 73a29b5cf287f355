"""International Standard Content Codes (ISO 24138) of pictures: what others call them."""

from __future__ import annotations

import base64

import iscc_lib
from PIL import Image, ImageChops

SIDE = 32  # pixels, grey, that an Image-Code is made from
BINDING_BITS = 256  # what those who look for soft bindings ask for


def image_code(rgb: Image.Image) -> str:
    """Return the Image-Code of an RGB image: like for images that look alike."""
    return str(iscc_lib.gen_image_code_v0(_grey(rgb))["iscc"])


def image_binding(rgb: Image.Image) -> str:
    """Return the Image-Code of an RGB image in 256 bits as those want it who look for bindings.

    Header and body of the unit (IEP-0020), base64.
    """
    code = str(iscc_lib.gen_image_code_v0(_grey(rgb), BINDING_BITS)["iscc"]).removeprefix("ISCC:")
    return base64.b64encode(base64.b32decode(code + "=" * (-len(code) % 8))).decode()


def codes(data: bytes, rgb: Image.Image) -> dict[str, str]:
    """Return the codes of a file and the image in it: image, data, instance, and all in one."""
    units = {
        "image": image_code(rgb),
        "data": str(iscc_lib.gen_data_code_v0(data)["iscc"]),
        "instance": str(iscc_lib.gen_instance_code_v0(data)["iscc"]),
    }
    return units | {"iscc": str(iscc_lib.gen_iscc_code_v0(list(units.values()))["iscc"])}


def _grey(rgb: Image.Image) -> bytes:
    return _trimmed(rgb).convert("L").resize((SIDE, SIDE), Image.Resampling.BICUBIC).tobytes()


def _trimmed(rgb: Image.Image) -> Image.Image:
    """Cut off borders of the colour of the upper left corner, as the ISCC toolkit does."""
    corner = rgb.getpixel((0, 0))
    plain = Image.new(rgb.mode, rgb.size, corner)
    return rgb.crop(ImageChops.difference(rgb, plain).getbbox() or (0, 0, *rgb.size))
