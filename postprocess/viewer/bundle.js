// The arrays that bundle.py packed.
const TYPES = { Float32Array, Int16Array, Int8Array, Uint32Array, Uint16Array, Uint8Array };

export async function unpacked(text, places) {
  const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const block = await new Response(stream).arrayBuffer();
  const arrays = {};
  for (const [name, { type, offset, length }] of Object.entries(places)) {
    const half = type === "Float16Array"; // few browsers have one yet
    arrays[name] = half ? widened(new Uint16Array(block, offset, length)) : new TYPES[type](block, offset, length);
  }
  return arrays;
}

// Float32Array of half precision's bits: a sign, five of the exponent, ten of the fraction (IEEE 754); all finite.
function widened(halves) {
  return Float32Array.from(halves, (bits) => {
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    return bits >> 15 ? -size : size;
  });
}
