"""What a result carries in its file: its settings, and a mark for machines that an AI made it."""

import json
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

KEY = "tryon"
# A photograph, part of which was painted by a trained network: https://cv.iptc.org/newscodes/digitalsourcetype/
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="Try-On">
<Iptc4xmpExt:DigitalSourceType>{SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


def save_result(image: Image.Image, path: str | Path, info: dict) -> None:
    """Write a picture with the mark; a PNG file also carries `info`, as JSON under "tryon".

    Args:
        image: the result.
        path: ends in .png, or in .jpg, .jpeg or .webp for a smaller file of high quality.
        info: what JSON can hold.

    Raises:
        OSError: the file cannot be written.
    """
    if Path(path).suffix.lower() != ".png":
        image.save(path, quality=95, xmp=XMP.encode())
        return
    chunks = PngInfo()
    chunks.add_itxt(KEY, json.dumps(info))
    chunks.add_itxt("XML:com.adobe.xmp", XMP)
    image.save(path, pnginfo=chunks, compress_level=4)


def read_info(image: Image.Image) -> dict | None:
    """The settings that a result's file carries; None if it carries none."""
    try:
        info = json.loads(image.info.get(KEY, "null"))
    except ValueError:
        return None
    return info if isinstance(info, dict) else None
