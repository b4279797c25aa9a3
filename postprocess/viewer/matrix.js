// 4 × 4 matrices, column after column as WebGL takes them.
export function perspective(angle, aspect, near, far) {
  const f = 1 / Math.tan(angle / 2);
  const depth = near - far;
  return [f / aspect, 0, 0, 0, 0, f, 0, 0, 0, 0, (near + far) / depth, -1, 0, 0, (2 * near * far) / depth, 0];
}

// A box of half-size `radius` around the origin, seen along -z.
export function orthographic(radius) {
  return [1 / radius, 0, 0, 0, 0, 1 / radius, 0, 0, 0, 0, -1 / radius, 0, 0, 0, 0, 1];
}

// Turned by yaw around y, then by pitch around x, `centre` at the origin and `away` in front of the eye.
export function turned(yaw, pitch, centre, away) {
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  const rows = [
    [cy, 0, sy],
    [sp * sy, cp, -sp * cy],
    [-cp * sy, sp, cp * cy],
  ];
  const moved = rows.map((row) => -(row[0] * centre[0] + row[1] * centre[1] + row[2] * centre[2]));
  moved[2] -= away;
  return [0, 1, 2].flatMap((column) => [...rows.map((row) => row[column]), 0]).concat(moved, 1);
}

// A head turned about its neck: yaw to its own left, pitch upwards, roll towards its left shoulder; roll first.
export function turnedHead([yaw, pitch, roll], neck) {
  const [cy, sy, cx, sx, cz, sz] = [yaw, -pitch, -roll].flatMap((angle) => [Math.cos(angle), Math.sin(angle)]);
  const rows = [
    [cy * cz + sy * sx * sz, sy * sx * cz - cy * sz, sy * cx],
    [cx * sz, cx * cz, -sx],
    [cy * sx * sz - sy * cz, sy * sz + cy * sx * cz, cy * cx],
  ];
  const moved = rows.map((row, i) => neck[i] - (row[0] * neck[0] + row[1] * neck[1] + row[2] * neck[2]));
  return [0, 1, 2].flatMap((column) => [...rows.map((row) => row[column]), 0]).concat(moved, 1);
}

export function multiplied(a, b) {
  return Array.from({ length: 16 }, (_, i) => {
    const [row, column] = [i % 4, i - (i % 4)];
    return a[row] * b[column] + a[row + 4] * b[column + 1] + a[row + 8] * b[column + 2] + a[row + 12] * b[column + 3];
  });
}

export function normalised(vector) {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

// The rotation that looks from `direction` at the origin, y upwards.
export function facing(direction) {
  const z = normalised(direction);
  const x = normalised([z[2], 0, -z[0]]);
  const y = [z[1] * x[2] - z[2] * x[1], z[2] * x[0] - z[0] * x[2], z[0] * x[1] - z[1] * x[0]];
  return [0, 1, 2].flatMap((i) => [x[i], y[i], z[i], 0]).concat(0, 0, 0, 1);
}
