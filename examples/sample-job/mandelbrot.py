#!/usr/bin/env python3
"""Render one tile of the Mandelbrot set: mandelbrot.py X_SCALE Y_SCALE ZOOM

X_SCALE and Y_SCALE are the centre of the tile (the real and the imaginary part), ZOOM is how far
in: the tile is 3 / ZOOM wide. The iteration counts go to tile.pgm, a plain grey picture.
"""
import sys

SIZE = 192      # pixels a side
DEPTH = 255     # iterations before a point counts as inside


def render(centre_x, centre_y, zoom):
    width = 3.0 / zoom
    step = width / SIZE
    left = centre_x - width / 2 + step / 2
    top = centre_y + width / 2 - step / 2
    pixels = bytearray()
    for row in range(SIZE):
        ci = top - row * step
        for column in range(SIZE):
            cr = left + column * step
            zr = zi = 0.0
            count = 0
            while count < DEPTH:
                rr, ii = zr * zr, zi * zi
                if rr + ii > 4.0:
                    break
                zi = 2.0 * zr * zi + ci
                zr = rr - ii + cr
                count += 1
            pixels.append(count)
    return bytes(pixels)


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: mandelbrot.py X_SCALE Y_SCALE ZOOM")
    centre_x, centre_y, zoom = (float(word) for word in sys.argv[1:])
    if not zoom > 0:
        sys.exit("ZOOM must be above 0")
    pixels = render(centre_x, centre_y, zoom)
    with open("tile.pgm", "wb") as out:
        out.write(b"P5 %d %d 255\n" % (SIZE, SIZE))
        out.write(pixels)
    inside = sum(1 for value in pixels if value == DEPTH)
    print(f"tile at {centre_x} {centre_y}, zoom {zoom}: {inside} of {len(pixels)} points inside")


if __name__ == "__main__":
    main()
