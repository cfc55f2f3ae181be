"""Pictures: a soft scene behind a card that shows the prompt, at exactly the pixels asked for."""

from __future__ import annotations

import colorsys
import hashlib
import io
import random
import struct
import zlib
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]
SCENE = 224  # the longer side the scene is painted at, before it is enlarged
MARGIN = 2.0  # half the side of a disc's mask, in radii: room for its blur
JPEG_QUALITY = 88
COMMENT_LIMIT = 65_533  # payload of one JPEG comment segment
INK: Colour = (24, 26, 32)
FAINT: Colour = (98, 102, 112)
LONGEST_TEXT = 600


@dataclass(frozen=True, slots=True)
class Picture:
    """What to draw. `seed` picks the colours; files shorter than `least_bytes` are padded."""

    text: str
    caption: str
    width: int
    height: int
    mime: str
    seed: int
    least_bytes: int = 0
    is_blank: bool = False


def draw(picture: Picture) -> bytes:
    """Draw a picture and encode it."""
    if picture.is_blank:
        return encode(Image.new("RGB", (picture.width, picture.height)), picture.mime)
    image = scene(picture)
    card(image, picture)
    encoded = encode(image, picture.mime)
    return padded(encoded, picture.least_bytes)


def chance(picture: Picture) -> random.Random:
    """Draw the same numbers for the same words and seed, in every process."""
    key = f"{picture.seed}\0{picture.text}".encode("utf-8", "surrogatepass")
    return random.Random(hashlib.sha256(key).digest())  # noqa: S311 - colours, not secrets


def scene(picture: Picture) -> Image.Image:
    """Paint a lit backdrop with a few soft bodies; small, then enlarged: quick and smooth."""
    draws = chance(picture)
    scale = SCENE / max(picture.width, picture.height)
    size = (max(8, round(picture.width * scale)), max(8, round(picture.height * scale)))
    hue = draws.random()
    image = gradient(size, colour(hue, 0.90, 0.35), colour(hue + 0.09, 0.58, 0.45))
    reach = max(24, min(size))
    for step in range(5):
        tone = colour(hue + draws.choice((0.0, 0.08, 0.5, 0.56)), draws.uniform(0.45, 0.8), 0.6)
        x, y = draws.uniform(0, size[0]), draws.uniform(0, size[1])
        radius = reach * draws.uniform(0.18, 0.42) * (1 - step * 0.09)
        body(image, (x, y), radius, tone)
    return image.resize((picture.width, picture.height), Image.Resampling.BILINEAR)


def gradient(size: tuple[int, int], top: Colour, bottom: Colour) -> Image.Image:
    """Blend two colours along the diagonal."""
    slope = Image.linear_gradient("L").rotate(24, Image.Resampling.BILINEAR, fillcolor=128)
    mask = slope.crop((40, 40, 216, 216)).resize(size, Image.Resampling.BILINEAR)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), mask)


def body(image: Image.Image, centre: tuple[float, float], radius: float, tone: Colour) -> None:
    """Set one round body with its shadow and a lit side."""
    x, y = centre
    spot(image, disc(0.35, 0.28), (x + radius * 0.12, y + radius * 0.28), radius, (20, 20, 30))
    spot(image, disc(0.01, 1.0), centre, radius, tone)
    lit = (x - radius * 0.3, y - radius * 0.35)
    spot(image, disc(0.6, 0.5), lit, radius * 0.42, (255, 255, 255))


def spot(
    image: Image.Image,
    mask: Image.Image,
    centre: tuple[float, float],
    radius: float,
    tone: Colour,
) -> None:
    """Paint one colour through a mask of `disc`, enlarged to a radius."""
    side = max(2, round(radius * 2 * MARGIN))
    left, top = round(centre[0] - side / 2), round(centre[1] - side / 2)
    enlarged = mask.resize((side, side), Image.Resampling.BILINEAR)
    image.paste(tone, (left, top, left + side, top + side), enlarged)


@cache
def disc(blur: float, strength: float) -> Image.Image:
    """Make the mask of a disc in the middle of a square; `blur` is a share of its radius."""
    radius = 80
    half = round(radius * MARGIN)
    mask = Image.new("L", (half * 2, half * 2))
    box = (half - radius, half - radius, half + radius, half + radius)
    ImageDraw.Draw(mask).ellipse(box, fill=round(255 * strength))
    return mask.filter(ImageFilter.GaussianBlur(radius * blur))


def card(image: Image.Image, picture: Picture) -> None:
    """Lay the white card with prompt and caption over the scene."""
    box = card_box(image.size)
    left, top, right, bottom = box
    short = min(right - left, bottom - top)
    radius, margin = short // 9, max(4, short // 9)
    mask = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, *(side - 1 for side in mask.size)), radius, 234)
    image.paste((255, 255, 255), (left, top), mask)
    pen = ImageDraw.Draw(image)
    foot = max(8, short // 14)
    write(
        pen,
        picture.caption,
        (left + margin, bottom - margin - round(foot * 1.3), right - margin, bottom - margin),
        foot,
        FAINT,
    )
    words = " ".join("".join(c if c.isprintable() else " " for c in picture.text).split())
    room = (left + margin, top + margin, right - margin, bottom - margin - foot * 2)
    write(pen, words[:LONGEST_TEXT], room, max(10, short // 5), INK)


def card_box(size: tuple[int, int]) -> Box:
    """Place the card: low in a tall picture, to the left in a wide one."""
    width, height = size
    edge = max(4, min(size) // 18)
    if width > height * 2:
        return edge, edge, min(width - edge, height * 2), height - edge
    card_height = min(round(height * 0.42), round(width * 0.9))
    return edge, height - edge - card_height, width - edge, height - edge


def write(pen: ImageDraw.ImageDraw, text: str, box: Box, largest: int, ink: Colour) -> None:
    """Write wrapped text in the largest letters that fit, ending in an ellipsis if none do."""
    left, top, right, bottom = box
    size = largest
    while True:
        font = letters(size)
        lines = wrapped(text, font, right - left)
        fitting = max(1, int((bottom - top) // (size * 1.22)))
        if len(lines) <= fitting or size <= 9:  # noqa: PLR2004 - the smallest legible letters
            break
        size = max(9, round(size * 0.84))
    if len(lines) > fitting:
        lines = [*lines[: fitting - 1], lines[fitting - 1][:-1] + "…"]
    for number, line in enumerate(lines):
        pen.text((left, top + number * size * 1.22), line, fill=ink, font=font)


def wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break text into lines, at spaces where there are any."""
    lines: list[str] = []
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(joined) <= width:
            lines[-1] = joined
        else:
            lines += pieces(word, font, width)
    return lines


def pieces(word: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break one word that is too long for a line."""
    if font.getlength(word) <= width:
        return [word]
    step = max(1, int(len(word) * width / font.getlength(word)))
    return [word[start : start + step] for start in range(0, len(word), step)]


@cache
def letters(size: int) -> ImageFont.FreeTypeFont:
    """Load the typeface that comes with Pillow."""
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def colour(hue: float, lightness: float, saturation: float) -> Colour:
    """Turn a hue in turns and two shares into RGB."""
    red, green, blue = colorsys.hls_to_rgb(hue % 1, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def encode(image: Image.Image, mime: str) -> bytes:
    """Write the file."""
    buffer = io.BytesIO()
    if mime == "image/png":
        image.save(buffer, "PNG", compress_level=1)
    else:
        image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def padded(encoded: bytes, least: int) -> bytes:
    """Lengthen a file to about `least` bytes with noise that decoders pass over."""
    missing = least - len(encoded)
    if missing <= 0:
        return encoded
    noise = random.Random(missing).randbytes(missing)  # noqa: S311 - ballast
    if encoded.startswith(b"\x89PNG"):
        chunk = b"raNd" + noise
        block = struct.pack(">I", missing) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return encoded[:-12] + block + encoded[-12:]  # before IEND
    starts = range(0, missing, COMMENT_LIMIT)
    comments = (noise[start : start + COMMENT_LIMIT] for start in starts)
    segments = (b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text for text in comments)
    return encoded[:-2] + b"".join(segments) + encoded[-2:]  # who wants the header alone has it
