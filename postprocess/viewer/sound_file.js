// A sound file's own rate, by its first bytes: a browser decodes to whichever rate it is asked for, and does not tell.
const MPEG_HZ = [44100, 48000, 32000]; // of MPEG 1; half as much in MPEG 2, a quarter in 2.5

// bytes: an ArrayBuffer → Hz, or null where the file is of another kind: wav, flac, ogg and mp3 tell.
export function ownRate(bytes) {
  const view = new DataView(bytes);
  const word = (at) => (at + 4 <= bytes.byteLength ? String.fromCharCode(...new Uint8Array(bytes, at, 4)) : "");
  const kinds = { RIFF: ofWav, fLaC: ofFlac, OggS: ofOgg };
  try {
    return (kinds[word(0)] ?? ofMp3)(view, word) || null;
  } catch {
    return null; // it ends too early
  }
}

function ofWav(view, word) {
  for (let at = 12; word(at); at += 8 + view.getUint32(at + 4, true) + (view.getUint32(at + 4, true) % 2)) {
    if (word(at) === "fmt ") return view.getUint32(at + 12, true);
  }
}

function ofFlac(view) {
  return view.getUint32(18) >>> 12;
}

function ofOgg(view, word) {
  const packet = 27 + view.getUint8(26);
  if (word(packet) === "Opus") return 48000;
  if (word(packet + 1) === "vorb") return view.getUint32(packet + 12, true);
}

function ofMp3(view, word) {
  let at = 0;
  if (word(0).startsWith("ID3")) {
    at = 10 + [6, 7, 8, 9].reduce((size, place) => size * 128 + view.getUint8(place), 0);
  }
  const header = view.getUint32(at);
  if (header >>> 21 !== 0x7ff) return null;
  const version = (header >>> 19) & 3; // 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
  return MPEG_HZ[(header >>> 10) & 3] / { 3: 1, 2: 2, 0: 4 }[version];
}
