"""The compiled half of postprocess/film/scene.py: triangles to samples, samples to light. Importing it loads numba.

Four samples a pixel, each in a row and a column of its own (four rooks, rotated a little), so that steep, flat and
slanted edges are all smooth. A picture of (height, width) pixels has a sample buffer of (4 · height, width): row 4y + s
holds sample s of the pixels of row y.

A mesh here is a tuple: screen (V, 3): x and y in pixels, y down, and 1 / depth; vertices (V, 3) metres; normals (V, 3);
colours (V, 3) linear; roughness (V,); triangles (F, 3).
"""

# numba infers the types; the docstrings give the shapes.
# mypy: allow-untyped-defs

import math

import numpy as np
from numba import njit

from postprocess.film.studio import AMBIENT

exact = njit(cache=True, nogil=True, error_model="numpy")  # a division by zero is no error: nothing waits for one
quick = njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
merged = njit(cache=True, nogil=True, error_model="numpy", fastmath=True, inline="always")  # saves its many results

SAMPLES = 4
ACROSS = np.array([0.375, 0.875, 0.125, 0.625], np.float32)  # where a pixel's samples are, in pixels
DOWN = np.array([0.125, 0.375, 0.625, 0.875], np.float32)
NOTHING = -1  # the owner of a sample that no triangle covers
BEHIND = 1 - 1e-4  # the inside of a surface yields to its outside where both meet, as they do along every outline
ONE_SURFACE = 5e-3  # the difference of depth, as a share of it, within which a pixel's samples are lit as one

SCATTER = np.float32(0.35)  # how far light wraps around a surface, for the strongest of its colours
SKY, GROUND = np.array(AMBIENT.above, np.float32), np.array(AMBIENT.below, np.float32)
INSIDE = np.float32(0.08)  # light that reaches the inside of a surface, so that a mouth without a throat is dark
MIRRORED = np.float32(0.035)  # reflected seen straight on: skin, wet or dry (Fresnel, index of refraction about 1.45)

TAPS = 16  # places around a pixel that may stand in its ambient light
FAR = np.float32(2.5)  # times the reach: from how far in front they still do, as lips do to what is in a mouth
HOLLOW = np.float32(0.5)  # what is less open than this is shut in, as teeth behind lips: still less comes in
WALLS = np.array([0.60, 0.34, 0.25], np.float32)  # the colour of skin, which is around whatever is in a hollow
SHADOW_REACH = 3  # texels around a place in the shadow map: how soft the key light's shadow is
SOFT = np.float32(SHADOW_REACH)
FLAT = np.float32(1e-3)  # of the depth: what stands out by less is a surface's own roundness
SAME = np.float32(100)  # over a surface's depth: that at which another depth counts as another surface

ZERO, HALF, ONE, FOUR = np.float32(0), np.float32(0.5), np.float32(1), np.float32(4)  # plain numbers are doubles here


@exact
def vertex_normals(vertices, triangles, welded):
    """Unit normals (V, 3), faces weighted by area; `welded` gives each vertex the one whose normal it shares."""
    normals = np.zeros_like(vertices)
    for t in range(len(triangles)):
        a, b, c = triangles[t]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in range(3):
            vertex = welded[triangles[t, corner]]
            normals[vertex, 0] += nx
            normals[vertex, 1] += ny
            normals[vertex, 2] += nz
    for v in range(len(vertices)):
        if welded[v] == v:
            length = math.sqrt(normals[v, 0] ** 2 + normals[v, 1] ** 2 + normals[v, 2] ** 2)
            if length > 0:
                normals[v] /= length
            else:
                normals[v, 2] = 1
    for v in range(len(vertices)):
        normals[v] = normals[welded[v]]
    return normals


# ---- which triangle a sample sees ----


@exact
def rasterise(screen, triangles, nearness, owner):
    """Write which triangle each sample sees, the nearest, to owner (4 · height, width) int32, NOTHING for none.

    nearness: likewise, float32: 1 / depth there, 0 for none. A sample on an edge that two triangles share belongs to
    one of them.
    """
    height, width = owner.shape[0] // SAMPLES, owner.shape[1]
    nearness[:] = 0
    owner[:] = NOTHING
    for t in range(np.int32(len(triangles))):
        a, b, c = triangles[t]
        along_x, along_y, outside = _plane(screen, a, b, c)
        if screen[a, 1] > screen[b, 1]:
            a, b = b, a
        if screen[b, 1] > screen[c, 1]:
            b, c = c, b
        if screen[a, 1] > screen[b, 1]:
            a, b = b, a
        if min(screen[a, 2], screen[b, 2], screen[c, 2]) <= 0:
            continue
        ax, ay, by = float(screen[a, 0]), float(screen[a, 1]), float(screen[b, 1])
        # An edge's slope is the same float whichever triangle asks, so that neighbours leave no gap between them.
        ac, ab, bc = _slope(screen, a, c), _slope(screen, a, b), _slope(screen, b, c)
        bias = 1.0 if outside else BEHIND
        first = max(math.ceil(ay * SAMPLES - 0.5), 0)
        last = min(math.ceil(screen[c, 1] * SAMPLES - 0.5), SAMPLES * height)
        for row in range(first, last):
            y = (row + 0.5) / SAMPLES
            long = ax + (y - ay) * ac
            short = ax + (y - ay) * ab if y < by else screen[b, 0] + (y - by) * bc
            across = ACROSS[row % SAMPLES]
            start = max(math.ceil(min(long, short) - across), 0)
            stop = min(math.ceil(max(long, short) - across), width)
            here = screen[a, 2] + (y - ay) * along_y + (across - ax) * along_x
            nearness_row, owner_row = nearness[row], owner[row]
            here, step = np.float32(here * bias), np.float32(along_x * bias)
            for x in range(start, stop):  # choices and no branches, so that it runs on lanes
                near, old = here + np.float32(x) * step, nearness_row[x]
                owner_row[x] = t if near > old else owner_row[x]
                nearness_row[x] = max(near, old)


@exact
def _slope(screen, upper, lower):
    down = float(screen[lower, 1]) - float(screen[upper, 1])
    return (float(screen[lower, 0]) - float(screen[upper, 0])) / down if down > 0 else 0.0


@exact
def _plane(screen, a, b, c):
    """How 1 / depth changes with x and with y across a triangle, and whether its outside faces us."""
    x1, y1, n1 = float(screen[b, 0] - screen[a, 0]), float(screen[b, 1] - screen[a, 1]), screen[b, 2] - screen[a, 2]
    x2, y2, n2 = float(screen[c, 0] - screen[a, 0]), float(screen[c, 1] - screen[a, 1]), screen[c, 2] - screen[a, 2]
    doubled_area = x1 * y2 - x2 * y1
    if doubled_area == 0:
        return 0.0, 0.0, False
    return (n1 * y2 - n2 * y1) / doubled_area, (x1 * n2 - x2 * n1) / doubled_area, doubled_area < 0


# ---- how much of the surroundings' light comes in ----


@quick
def openness(mesh, nearness, owner, focal, reach_m):
    """(height / 2, width / 2, 2) float32: how open every second pixel's surface is, 0 to 1, and its 1 / depth.

    Obscurance within about reach_m metres, from the picture's own depth (McGuire et al. 2011, the Alchemy estimator).
    """
    height, width = owner.shape[0] // SAMPLES, owner.shape[1]
    coarse = np.empty(((height + 1) // 2, (width + 1) // 2, 2), np.float32)
    spiral = np.empty((TAPS, 2), np.float32)
    for tap in range(TAPS):
        angle, radius = 2.4 * tap, math.sqrt((tap + 0.5) / TAPS)  # the golden angle
        spiral[tap] = radius * math.cos(angle), radius * math.sin(angle)
    farthest = ONE / (FAR * FAR * reach_m * reach_m)
    for v in range(coarse.shape[0]):
        for u in range(coarse.shape[1]):
            x, y = 2 * u, 2 * v
            seen, near = owner[SAMPLES * y, x], nearness[SAMPLES * y, x]
            coarse[v, u] = ONE, near
            if seen == NOTHING:
                continue
            nx, ny, nz = _surface(mesh, seen, np.float32(x) + ACROSS[0], np.float32(y) + DOWN[0])[0][:3]
            depth = ONE / near
            metres_per_pixel = depth / focal
            # Two patterns side by side, a half turn apart, which the blur between neighbours mixes.
            radius = reach_m / metres_per_pixel * np.float32(1 - 2 * ((u + v) & 1))
            covered = ZERO
            for tap in range(TAPS):
                across, down = round(radius * spiral[tap, 0]), round(radius * spiral[tap, 1])
                if not (0 <= x + across < width and 0 <= y + down < height):
                    continue
                there = nearness[SAMPLES * (y + down), x + across]
                if there == ZERO:
                    continue
                dx, dy = np.float32(across) * metres_per_pixel, -np.float32(down) * metres_per_pixel
                dz = depth - ONE / there
                squared = dx * dx + dy * dy + dz * dz
                above = dx * nx + dy * ny + dz * nz - FLAT * depth
                falloff = ONE - squared * farthest
                if above > ZERO and falloff > ZERO:
                    covered += falloff * above / math.sqrt(squared + np.float32(1e-9))
            free = max(ONE - covered * np.float32(2 / TAPS), ZERO)
            coarse[v, u, 0] = free * min(free / HOLLOW, ONE)
    return coarse


@quick
def _between(coarse, x, y, near):
    """openness at a pixel: the mean of the coarse places around it, those of its own surface above all."""
    u, v = x // 2, y // 2
    total, weights, strictness = ZERO, np.float32(1e-6), SAME / near
    for q in range(max(v - 1, 0), min(v + 2, coarse.shape[0])):
        for p in range(max(u - 1, 0), min(u + 2, coarse.shape[1])):
            weight = max(ONE - strictness * abs(coarse[q, p, 1] - near), np.float32(1e-3))
            weight = weight if p == u else HALF * weight
            weight = weight if q == v else HALF * weight
            total += weight * coarse[q, p, 0]
            weights += weight
    return total / weights


@quick
def _reached(shadow, px, py, pz):
    """How much of the key light reaches a place, 0 to 1. shadow: its nearness, (3, 4) metres → texels, lift."""
    nearness, transform, _ = shadow
    x = transform[0, 0] * px + transform[0, 1] * py + transform[0, 2] * pz + transform[0, 3]
    y = transform[1, 0] * px + transform[1, 1] * py + transform[1, 2] * pz + transform[1, 3]
    near = transform[2, 0] * px + transform[2, 1] * py + transform[2, 2] * pz + transform[2, 3]
    column, row = math.floor(x), math.floor(y)
    if not (
        SHADOW_REACH <= column < nearness.shape[1] - SHADOW_REACH
        and SHADOW_REACH <= row < nearness.shape[0] // SAMPLES - SHADOW_REACH
    ):
        return ONE
    lit = 0
    for down in range(-SHADOW_REACH, SHADOW_REACH + 1, SHADOW_REACH):
        for across in range(-SHADOW_REACH, SHADOW_REACH + 1, SHADOW_REACH):
            lit += near >= nearness[SAMPLES * (row + down), column + across]
    if lit in (0, 9):  # most places: no edge of a shadow is near
        return ONE if lit else ZERO
    free, weights = ZERO, ZERO
    for down in range(-SHADOW_REACH, SHADOW_REACH + 1):
        for across in range(-SHADOW_REACH, SHADOW_REACH + 1):
            s = (across + 2 * down) & 3
            away_x = abs(np.float32(column + across) + ACROSS[s] - x)
            away_y = abs(np.float32(row + down) + DOWN[s] - y)
            weight = max(SOFT - away_x, ZERO) * max(SOFT - away_y, ZERO)
            weights += weight
            if near >= nearness[SAMPLES * (row + down) + s, column + across]:
                free += weight
    return free / weights


# ---- colour ----


@quick
def shade(mesh, nearness, owner, coarse, shadow, look, backdrop):
    """(height, width, 3) uint8. coarse: what openness gave.

    look: (directions (L, 3) towards each light, strengths (L, 3), the eye (3,), codes: linear light → sRGB). The first
    light casts shadows. backdrop: (height, 3) linear.
    """
    height, width = owner.shape[0] // SAMPLES, owner.shape[1]
    picture = np.empty((height, width, 3), np.uint8)
    codes = look[3]
    finest = np.float32(len(codes) - 1)
    light, gathered = np.zeros(3, np.float32), np.zeros(9, np.float32)
    for y in range(height):
        for x in range(width):
            light[:] = 0
            count, depth = 0, ZERO
            roughness, outside = ZERO, True
            s = 0
            while s < SAMPLES:
                seen = owner[SAMPLES * y + s, x]
                first = s
                s += 1
                while s < SAMPLES and owner[SAMPLES * y + s, x] == seen:
                    s += 1
                run = np.float32(s - first)
                if seen == NOTHING:
                    for channel in range(3):
                        light[channel] += run * backdrop[y, channel]
                    continue
                near = nearness[SAMPLES * y + first, x]
                place_x, place_y = HALF * (ACROSS[first] + ACROSS[s - 1]), HALF * (DOWN[first] + DOWN[s - 1])
                found, faces_us = _surface(mesh, seen, np.float32(x) + place_x, np.float32(y) + place_y)
                own_roughness = mesh[4][mesh[5][seen, 0]]
                if count and (
                    own_roughness != roughness or faces_us != outside or abs(near - depth) > ONE_SURFACE * depth
                ):
                    openness_here = _between(coarse, x, y, depth)
                    _add_light(gathered, count, roughness, outside, openness_here, shadow, look, light)
                    count = 0
                if not count:
                    gathered[:] = 0
                    roughness, outside, depth = own_roughness, faces_us, near
                for i in range(9):
                    gathered[i] += run * found[i]
                count += s - first
            if count:
                openness_here = _between(coarse, x, y, depth)
                _add_light(gathered, count, roughness, outside, openness_here, shadow, look, light)
            for channel in range(3):
                picture[y, x, channel] = codes[int(light[channel] * (finest / FOUR) + HALF)]
    return picture


@merged
def _surface(mesh, triangle, x, y):
    """What a triangle is at a place on the screen: normal, position, colour (9 numbers), and whether it is outside."""
    screen, vertices, normals, colours, _, triangles = mesh
    a, b, c = triangles[triangle]
    bx, by = screen[b, 0] - screen[a, 0], screen[b, 1] - screen[a, 1]
    cx, cy = screen[c, 0] - screen[a, 0], screen[c, 1] - screen[a, 1]
    px, py = x - screen[a, 0], y - screen[a, 1]
    doubled_area = bx * cy - cx * by
    inverse = ONE / doubled_area
    wb, wc = (px * cy - cx * py) * inverse, (bx * py - px * by) * inverse
    wa = (ONE - wb - wc) * screen[a, 2]  # perspective: a corner twice as far counts half
    wb, wc = wb * screen[b, 2], wc * screen[c, 2]
    inverse = ONE / (wa + wb + wc)
    wa, wb, wc = wa * inverse, wb * inverse, wc * inverse
    values = (
        wa * normals[a, 0] + wb * normals[b, 0] + wc * normals[c, 0],
        wa * normals[a, 1] + wb * normals[b, 1] + wc * normals[c, 1],
        wa * normals[a, 2] + wb * normals[b, 2] + wc * normals[c, 2],
        wa * vertices[a, 0] + wb * vertices[b, 0] + wc * vertices[c, 0],
        wa * vertices[a, 1] + wb * vertices[b, 1] + wc * vertices[c, 1],
        wa * vertices[a, 2] + wb * vertices[b, 2] + wc * vertices[c, 2],
        wa * colours[a, 0] + wb * colours[b, 0] + wc * colours[c, 0],
        wa * colours[a, 1] + wb * colours[b, 1] + wc * colours[c, 1],
        wa * colours[a, 2] + wb * colours[b, 2] + wc * colours[c, 2],
    )
    return values, doubled_area < 0


@quick
def _add_light(gathered, count, roughness, outside, openness_here, shadow, look, light):
    """Add to `light` (3,) what `count` samples send us; gathered: the sums of their normals, positions and colours."""
    directions, strengths, eye, _ = look
    length = (ONE if outside else -ONE) / _length(gathered[0], gathered[1], gathered[2])
    nx, ny, nz = gathered[0] * length, gathered[1] * length, gathered[2] * length
    share = ONE / np.float32(count)
    px, py, pz = gathered[3] * share, gathered[4] * share, gathered[5] * share
    red, green, blue = gathered[6] * share, gathered[7] * share, gathered[8] * share
    vx, vy, vz = eye[0] - px, eye[1] - py, eye[2] - pz
    length = ONE / _length(vx, vy, vz)
    vx, vy, vz = vx * length, vy * length, vz * length
    facing = max(nx * vx + ny * vy + nz * vz, np.float32(0.05))
    # Light that enters a surface comes out beside where it went in, in the surface's colour: it wraps around skin.
    wrap = SCATTER / max(red, green, blue, np.float32(1e-3))
    wrap_red, wrap_green, wrap_blue = wrap * red, wrap * green, wrap * blue
    even_red, even_green, even_blue = (
        ONE / (ONE + wrap_red) ** 2,
        ONE / (ONE + wrap_green) ** 2,
        ONE / (ONE + wrap_blue) ** 2,
    )
    open_red = _bounced(openness_here, min(red, WALLS[0]))
    open_green = _bounced(openness_here, min(green, WALLS[1]))
    open_blue = _bounced(openness_here, min(blue, WALLS[2]))
    above = HALF + HALF * ny
    lit_red = (GROUND[0] + (SKY[0] - GROUND[0]) * above) * open_red
    lit_green = (GROUND[1] + (SKY[1] - GROUND[1]) * above) * open_green
    lit_blue = (GROUND[2] + (SKY[2] - GROUND[2]) * above) * open_blue
    shine_red = shine_green = shine_blue = ZERO
    alpha = max(roughness, np.float32(0.08)) ** 2
    for i in range(len(directions)):
        lx, ly, lz = directions[i, 0], directions[i, 1], directions[i, 2]
        towards = nx * lx + ny * ly + nz * lz
        if towards < -SCATTER:
            continue
        if i == 0:
            lift = shadow[2]
            reaches = _reached(shadow, px + lift * nx, py + lift * ny, pz + lift * nz)
            # What a shadow map says of a surface that turns away is mostly noise, and the wrap darkens it already.
            reaches = ONE - (ONE - reaches) * min(max((towards + np.float32(0.1)) * np.float32(5), ZERO), ONE)
            reaches *= HALF + HALF * openness_here
            in_red = in_green = in_blue = reaches
        else:  # the others throw no shadow: what is hidden from the surroundings is hidden from them
            reaches = openness_here * openness_here
            in_red, in_green, in_blue = openness_here * open_red, openness_here * open_green, openness_here * open_blue
        lit_red += in_red * strengths[i, 0] * max(towards + wrap_red, ZERO) * even_red
        lit_green += in_green * strengths[i, 1] * max(towards + wrap_green, ZERO) * even_green
        lit_blue += in_blue * strengths[i, 2] * max(towards + wrap_blue, ZERO) * even_blue
        if towards > ZERO:
            shine = reaches * towards * _gloss(nx, ny, nz, vx, vy, vz, lx, ly, lz, alpha, towards, facing)
            shine_red += strengths[i, 0] * shine
            shine_green += strengths[i, 1] * shine
            shine_blue += strengths[i, 2] * shine
    dark = ONE if outside else INSIDE
    samples = np.float32(count)
    light[0] += samples * _tone(dark * (red * lit_red + shine_red))
    light[1] += samples * _tone(dark * (green * lit_green + shine_green))
    light[2] += samples * _tone(dark * (blue * lit_blue + shine_blue))


@quick
def _bounced(openness_here, colour):
    """The ambient light of a hollow whose walls have this colour and light each other: Jimenez et al. 2016."""
    a = np.float32(2.0404) * colour - np.float32(0.3324)
    b = np.float32(-4.7951) * colour + np.float32(0.6417)
    c = np.float32(2.7552) * colour + np.float32(0.6903)
    return max(openness_here, ((openness_here * a + b) * openness_here + c) * openness_here)


@quick
def _length(x, y, z):
    return math.sqrt(x * x + y * y + z * z + np.float32(1e-12))


@quick
def _gloss(nx, ny, nz, vx, vy, vz, lx, ly, lz, alpha, towards, facing):
    """The highlight of a rough surface, over π: GGX (Walter et al. 2007), with Schlick's Fresnel and shadowing."""
    hx, hy, hz = lx + vx, ly + vy, lz + vz
    length = ONE / _length(hx, hy, hz)
    middle = max((nx * hx + ny * hy + nz * hz) * length, ZERO)
    grazing = ONE - max((vx * hx + vy * hy + vz * hz) * length, ZERO)
    spread = middle * middle * (alpha * alpha - ONE) + ONE
    fresnel = MIRRORED + (ONE - MIRRORED) * grazing * grazing * grazing * grazing * grazing
    k = HALF * alpha
    shadowing = FOUR * (towards * (ONE - k) + k) * (facing * (ONE - k) + k)
    return alpha * alpha * fresnel / (spread * spread * shadowing)


@quick
def _tone(light):
    """Light → 0 to 1 along film's S: Narkowicz 2016, an approximation of the ACES reference transform."""
    bent = light * (np.float32(2.51) * light + np.float32(0.03))
    return min(bent / (light * (np.float32(2.43) * light + np.float32(0.59)) + np.float32(0.14)), ONE)
