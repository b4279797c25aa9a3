// Sound of one rate to another, piece by piece, as dataset/stream_resampler.py brings it there, which hands its constants.
export class Resampler {
  // Rates in Hz.
  constructor(constants, rate, outRate) {
    const common = greatestDivisor(rate, outRate);
    Object.assign(this, { rate, outRate, up: outRate / common, down: rate / common, read: 0, written: 0 });
    this.reach =
      rate === outRate ? 0 : Math.max(constants.REACH_SAMPLES, Math.floor((rate * constants.REACH_MS) / 1000));
    this.sound = new Float32Array(this.reach); // silence before the first sample
    this.first = -this.reach;
    if (this.reach) this.phases = phases(constants, this);
  }

  // samples: a Float32Array → those at the other rate that are certain now.
  push(samples) {
    this.read += samples.length;
    if (!this.reach) return samples;
    this.append(samples);
    return this.told(Math.ceil((Math.max(0, this.read - this.reach) * this.up) / this.down));
  }

  // The rest: in all as many as last as long.
  flush() {
    if (!this.reach) return new Float32Array(0);
    this.append(new Float32Array(this.reach + 1));
    return this.told(nearest((this.read * this.outRate) / this.rate));
  }

  append(samples) {
    const sound = new Float32Array(this.sound.length + samples.length);
    sound.set(this.sound);
    sound.set(samples, this.sound.length);
    this.sound = sound;
  }

  // The samples up to this number.
  told(until) {
    const { up, down, reach, sound, phases } = this;
    const out = new Float32Array(Math.max(0, until - this.written));
    for (let n = 0; n < out.length; n++) {
      const place = (this.written + n) * down;
      const start = Math.floor(place / up) - reach + 1 - this.first;
      const weights = phases[Math.floor(((place % up) * phases.length) / up)];
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += weights[i] * sound[start + i];
      out[n] = sum;
    }
    this.written += out.length;
    const passed = Math.floor((this.written * down) / up) - reach - this.first;
    this.sound = sound.slice(passed);
    this.first += passed;
    return out;
  }
}

// The weights of the samples around a moment, by how far it is past one of them: a sinc in a Kaiser window (Kaiser, 1974).
function phases({ CUTOFF, KAISER_BETA, MOST_PHASES }, { rate, outRate, up, reach }) {
  const cutoff = CUTOFF * Math.min(1, outRate / rate);
  const count = Math.min(MOST_PHASES, up);
  return Array.from({ length: count }, (_, phase) => {
    const weights = Float64Array.from({ length: 2 * reach }, (_, i) => {
      const away = phase / count + reach - 1 - i;
      const inside = Math.sqrt(Math.max(0, 1 - (away / reach) ** 2));
      const turn = Math.PI * cutoff * away;
      return (turn ? Math.sin(turn) / turn : 1) * bessel(KAISER_BETA * inside);
    });
    const sum = weights.reduce((total, weight) => total + weight);
    return Float32Array.from(weights, (weight) => weight / sum);
  });
}

// The modified Bessel function of the first kind and order 0, by its series.
function bessel(x) {
  let [term, sum] = [1, 1];
  for (let k = 1; term > 1e-17 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

// The even one of two that are as near, as Python rounds.
function nearest(number) {
  const below = Math.floor(number);
  return number - below === 0.5 ? below + (below % 2) : Math.round(number);
}

function greatestDivisor(a, b) {
  return b ? greatestDivisor(b, a % b) : a;
}
