"""The compiled half of scripts/picture/scene.py: triangles to samples, samples to colours. Importing it loads numba.

Four samples a pixel, each in a row and a column of its own (four rooks, rotated a little), so that steep, flat and
slanted edges are all smooth. A picture of (height, width) pixels has a sample buffer of (4 · height, width): row 4y + s
holds sample s of the pixels of row y.
"""

# numba infers the types; the docstrings give the shapes.
# mypy: allow-untyped-defs

import math

import numpy as np
from numba import njit

SAMPLES = 4
ACROSS = np.array([0.375, 0.875, 0.125, 0.625])  # a sample's x within its pixel; its y is (s + 0.5) / 4
NOTHING = -1  # the owner of a sample that no triangle covers
BEHIND = 1 - 1e-4  # the inside of a surface yields to its outside where both meet, as they do along every outline

SCATTER = 0.35
SKY, GROUND = (0.42, 0.46, 0.54), (0.24, 0.20, 0.18)
INSIDE = 0.08  # light that reaches the inside of a surface, so that a mouth without a throat is dark
MIRRORED = 0.035  # reflected when seen straight on: skin, wet or dry (Fresnel, index of refraction about 1.45)
WHITE = 2.5  # the light that becomes white


@njit(cache=True, nogil=True)
def vertex_normals(vertices, triangles, welded, out):
    """Unit normals (V, 3), faces weighted by area; `welded` gives each vertex the one whose normal it shares."""
    out[:] = 0
    for t in range(len(triangles)):
        a, b, c = triangles[t]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in range(3):
            vertex = welded[triangles[t, corner]]
            out[vertex, 0] += nx
            out[vertex, 1] += ny
            out[vertex, 2] += nz
    for v in range(len(vertices)):
        if welded[v] == v:
            length = math.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2)
            if length > 0:
                for axis in range(3):
                    out[v, axis] /= length
            else:
                out[v, 2] = 1
    for v in range(len(vertices)):
        out[v] = out[welded[v]]


@njit(cache=True, nogil=True)
def rasterise(screen, triangles, top, bottom, nearness, owner):
    """Which triangle each sample of the pixel rows top … bottom sees: the nearest.

    screen: (V, 3) float32: x and y in pixels, y down, and 1 / depth. nearness, owner: (4 · height, width) float32 and
    int32, written here. A sample on an edge that two triangles share belongs to one of them.
    """
    width = owner.shape[1]
    nearness[SAMPLES * top : SAMPLES * bottom] = 0
    owner[SAMPLES * top : SAMPLES * bottom] = NOTHING
    for t in range(len(triangles)):
        a, b, c = triangles[t]
        if screen[a, 1] > screen[b, 1]:
            a, b = b, a
        if screen[b, 1] > screen[c, 1]:
            b, c = c, b
        if screen[a, 1] > screen[b, 1]:
            a, b = b, a
        if screen[a, 1] >= bottom or screen[c, 1] < top:
            continue
        first, last = _sample_rows(screen[a, 1], screen[c, 1], top, bottom)
        if first >= last or min(screen[a, 2], screen[b, 2], screen[c, 2]) <= 0:
            continue
        along_x, along_y, faces_us = _plane(screen, triangles[t])
        bias = 1.0 if faces_us else BEHIND
        for row in range(first, last):
            y = (row + 0.5) / SAMPLES
            long = _crossing(screen, a, c, y)
            short = _crossing(screen, a, b, y) if y < screen[b, 1] else _crossing(screen, b, c, y)
            across = ACROSS[row % SAMPLES]
            start = max(math.ceil(min(long, short) - across), 0)
            stop = min(math.ceil(max(long, short) - across), width)
            here = screen[a, 2] + (y - screen[a, 1]) * along_y + (across - screen[a, 0]) * along_x
            for x in range(start, stop):
                near = np.float32((here + x * along_x) * bias)
                if near > nearness[row, x]:
                    nearness[row, x] = near
                    owner[row, x] = t


@njit(cache=True, nogil=True)
def _sample_rows(highest, lowest, top, bottom):
    """The sample rows between two heights, within the pixel rows top … bottom."""
    first = max(math.ceil(highest * SAMPLES - 0.5), top * SAMPLES)
    return first, min(math.ceil(lowest * SAMPLES - 0.5), bottom * SAMPLES)


@njit(cache=True, nogil=True)
def _crossing(screen, upper, lower, y):
    """Where the edge meets a row: the same float whichever triangle asks, so that neighbours leave no gap."""
    x0, y0, x1, y1 = float(screen[upper, 0]), float(screen[upper, 1]), float(screen[lower, 0]), float(screen[lower, 1])
    return x0 + (y - y0) * (x1 - x0) / (y1 - y0) if y1 > y0 else x0


@njit(cache=True, nogil=True)
def _plane(screen, triangle):
    """How 1 / depth changes with x and with y across a triangle, and whether its outside faces us."""
    a, b, c = triangle
    x1, y1, n1 = float(screen[b, 0] - screen[a, 0]), float(screen[b, 1] - screen[a, 1]), screen[b, 2] - screen[a, 2]
    x2, y2, n2 = float(screen[c, 0] - screen[a, 0]), float(screen[c, 1] - screen[a, 1]), screen[c, 2] - screen[a, 2]
    doubled_area = x1 * y2 - x2 * y1
    if doubled_area == 0:
        return 0.0, 0.0, False
    return (n1 * y2 - n2 * y1) / doubled_area, (x1 * n2 - x2 * n1) / doubled_area, doubled_area < 0


@njit(cache=True, nogil=True, fastmath=True)
def shade(mesh, owner, look, backdrop, top, bottom, picture):
    """Colour the pixel rows top … bottom of picture (height, width, 3) uint8, from what each sample sees.

    mesh: (screen, vertices, normals, colours, roughness, triangles). backdrop: (height, 3) linear, tone-mapped.
    """
    encoded = look[3]
    for y in range(top, bottom):
        for x in range(owner.shape[1]):
            red, green, blue = 0.0, 0.0, 0.0
            for s in range(SAMPLES):
                seen = owner[SAMPLES * y + s, x]
                if seen == NOTHING:
                    red, green, blue = red + backdrop[y, 0], green + backdrop[y, 1], blue + backdrop[y, 2]
                    continue
                earlier = False
                for before in range(s):
                    earlier = earlier or owner[SAMPLES * y + before, x] == seen
                if earlier:
                    continue
                count, across, down = 0, 0.0, 0.0
                for other in range(s, SAMPLES):
                    if owner[SAMPLES * y + other, x] == seen:
                        count += 1
                        across += ACROSS[other]
                        down += (other + 0.5) / SAMPLES
                r, g, b = _surface(mesh, look, seen, x + across / count, y + down / count)
                red, green, blue = red + count * r, green + count * g, blue + count * b
            top_code = len(encoded) - 1
            picture[y, x, 0] = encoded[int(red / SAMPLES * top_code + 0.5)]
            picture[y, x, 1] = encoded[int(green / SAMPLES * top_code + 0.5)]
            picture[y, x, 2] = encoded[int(blue / SAMPLES * top_code + 0.5)]


@njit(cache=True, nogil=True, fastmath=True)
def _surface(mesh, look, triangle, x, y):
    """The colour of a triangle at a place on the screen: tone-mapped, linear."""
    screen, vertices, normals, colours, roughness, triangles = mesh
    directions, strengths, eye, _ = look
    a, b, c = triangles[triangle]
    bx, by = screen[b, 0] - screen[a, 0], screen[b, 1] - screen[a, 1]
    cx, cy = screen[c, 0] - screen[a, 0], screen[c, 1] - screen[a, 1]
    px, py = x - screen[a, 0], y - screen[a, 1]
    doubled_area = bx * cy - cx * by
    wb, wc = (px * cy - cx * py) / doubled_area, (bx * py - px * by) / doubled_area
    wa = (1 - wb - wc) * screen[a, 2]  # perspective: a corner twice as far counts half
    wb, wc = wb * screen[b, 2], wc * screen[c, 2]
    total = wa + wb + wc
    wa, wb, wc = wa / total, wb / total, wc / total
    nx = wa * normals[a, 0] + wb * normals[b, 0] + wc * normals[c, 0]
    ny = wa * normals[a, 1] + wb * normals[b, 1] + wc * normals[c, 1]
    nz = wa * normals[a, 2] + wb * normals[b, 2] + wc * normals[c, 2]
    outside = 1.0 if doubled_area < 0 else -1.0
    length = outside / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
    nx, ny, nz = nx * length, ny * length, nz * length
    vx = eye[0] - (wa * vertices[a, 0] + wb * vertices[b, 0] + wc * vertices[c, 0])
    vy = eye[1] - (wa * vertices[a, 1] + wb * vertices[b, 1] + wc * vertices[c, 1])
    vz = eye[2] - (wa * vertices[a, 2] + wb * vertices[b, 2] + wc * vertices[c, 2])
    length = 1 / math.sqrt(vx * vx + vy * vy + vz * vz)
    vx, vy, vz = vx * length, vy * length, vz * length
    facing = max(nx * vx + ny * vy + nz * vz, 0.05)

    red = wa * colours[a, 0] + wb * colours[b, 0] + wc * colours[c, 0]
    green = wa * colours[a, 1] + wb * colours[b, 1] + wc * colours[c, 1]
    blue = wa * colours[a, 2] + wb * colours[b, 2] + wc * colours[c, 2]
    # Light that enters a surface comes out beside where it went in, in the surface's colour: it wraps around skin.
    wrap = SCATTER / max(red, green, blue, 1e-3)
    wrap_red, wrap_green, wrap_blue = wrap * red, wrap * green, wrap * blue
    above = 0.5 + 0.5 * ny
    lit_red = GROUND[0] + (SKY[0] - GROUND[0]) * above
    lit_green = GROUND[1] + (SKY[1] - GROUND[1]) * above
    lit_blue = GROUND[2] + (SKY[2] - GROUND[2]) * above
    shine_red = shine_green = shine_blue = 0.0
    alpha = max(roughness[a], 0.08) ** 2
    k = alpha / 2
    for light in range(len(directions)):
        lx, ly, lz = directions[light, 0], directions[light, 1], directions[light, 2]
        towards = nx * lx + ny * ly + nz * lz
        lit_red += strengths[light, 0] * max(towards + wrap_red, 0.0) / (1 + wrap_red) ** 2
        lit_green += strengths[light, 1] * max(towards + wrap_green, 0.0) / (1 + wrap_green) ** 2
        lit_blue += strengths[light, 2] * max(towards + wrap_blue, 0.0) / (1 + wrap_blue) ** 2
        if towards > 0:
            shine = towards * _gloss(nx, ny, nz, vx, vy, vz, lx, ly, lz, alpha, k, towards, facing)
            shine_red += strengths[light, 0] * shine
            shine_green += strengths[light, 1] * shine
            shine_blue += strengths[light, 2] * shine
    dark = 1.0 if outside > 0 else INSIDE
    return (
        _tone(dark * (red * lit_red + shine_red)),
        _tone(dark * (green * lit_green + shine_green)),
        _tone(dark * (blue * lit_blue + shine_blue)),
    )


@njit(cache=True, nogil=True, fastmath=True)
def _gloss(nx, ny, nz, vx, vy, vz, lx, ly, lz, alpha, k, towards, facing):
    """The highlight of a rough surface, over π: GGX (Walter et al. 2007), with Schlick's Fresnel and shadowing."""
    hx, hy, hz = lx + vx, ly + vy, lz + vz
    length = 1 / math.sqrt(hx * hx + hy * hy + hz * hz + 1e-12)
    middle = max((nx * hx + ny * hy + nz * hz) * length, 0.0)
    seen = max((vx * hx + vy * hy + vz * hz) * length, 0.0)
    spread = middle * middle * (alpha * alpha - 1) + 1
    grazing = 1 - seen
    fresnel = MIRRORED + (1 - MIRRORED) * grazing * grazing * grazing * grazing * grazing
    shadowing = 4 * (towards * (1 - k) + k) * (facing * (1 - k) + k)
    return alpha * alpha / (spread * spread) * fresnel / shadowing


@njit(cache=True, nogil=True, fastmath=True)
def _tone(light):
    """Reinhard et al. 2002, equation 4: bright light is bent to 1, dark light stays as it is."""
    return min(light * (1 + light / (WHITE * WHITE)) / (1 + light), 1.0)
