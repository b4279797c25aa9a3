// The arrays that bundle.py packed.
const TYPES = { Float32Array, Int16Array, Int8Array, Uint32Array, Uint16Array, Uint8Array };

export async function unpacked(text, places) {
  const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const block = await new Response(stream).arrayBuffer();
  const arrays = {};
  for (const [name, { type, offset, length }] of Object.entries(places)) {
    arrays[name] = new TYPES[type](block, offset, length);
  }
  return arrays;
}
