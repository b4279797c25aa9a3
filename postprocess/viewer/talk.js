// A voice's face as it speaks: log-mel steps and causal convolutions over typed arrays, as model/streaming.py has them.
// What it computes with comes from model/browser_network.py; it needs nothing of a page.
export class Talk {
  // network: the numbers; arrays: by name; domain, lookahead: which of network.domains and network.lookaheads.
  constructor(network, arrays, domain = 0, lookahead = network.usual) {
    Object.assign(this, { network, delay: network.lookaheads[lookahead].delay });
    this.spectrum = new Spectrum(network, arrays);
    this.decoder = new CausalDecoder(network, arrays, domain, lookahead);
    this.interrupt();
  }

  // Forget what was heard: what is pushed next is another sound, from 0 s on.
  interrupt() {
    const { ahead, stepsPerFrame, heardSteps, bands } = this.network;
    this.samples = 0; // that were heard
    this.frame = -ahead; // the next to be told, at first of silence
    this.step = this.frame * stepsPerFrame + this.delay - heardSteps + 1; // the next
    this.first = this.start(this.step); // the sample that the sound kept begins with
    this.sound = new Float32Array(Math.max(0, -this.first));
    this.steps = new Float64Array(heardSteps * bands); // the newest ones
    this.decoder.forget();
  }

  // Hear a Float32Array in [-1, 1] at network.rateHz: the frames that can be told now, [{time in s, values}], of any
  // number; values: a coefficient for each channel, not clamped. Throws where samples are not finite.
  push(samples) {
    if (!samples.every(Number.isFinite)) throw new Error("The sound holds samples that are not finite.");
    this.samples += samples.length;
    return this.listen(samples);
  }

  // The sound has ended: its last frames.
  flush() {
    const { fps, rateHz, stepsPerFrame, windowSize } = this.network;
    const frames = Math.floor((this.samples * fps) / rateHz + 0.5);
    const last = this.start((frames - 1) * stepsPerFrame + this.delay) + windowSize;
    const told = this.listen(new Float32Array(Math.max(0, last - this.first - this.sound.length)));
    this.interrupt();
    return told.filter(({ time }) => time < frames / fps);
  }

  // The first sample that a step hears.
  start(step) {
    const [samples, steps] = this.network.spacing;
    return Math.floor((2 * step * samples + steps) / (2 * steps)) - Math.floor(this.network.windowSize / 2);
  }

  listen(samples) {
    const { windowSize, stepsPerFrame, bands, fps } = this.network;
    const sound = new Float32Array(this.sound.length + samples.length);
    sound.set(this.sound);
    sound.set(samples, this.sound.length);
    const told = [];
    let start = this.start(this.step) - this.first;
    for (; start + windowSize <= sound.length; start = this.start(this.step) - this.first) {
      this.steps.copyWithin(0, bands);
      this.spectrum.bands(sound.subarray(start, start + windowSize), this.steps.subarray(-bands));
      if (this.step === this.frame * stepsPerFrame + this.delay) {
        const values = this.decoder.next(this.steps);
        if (this.frame >= 0) told.push({ time: this.frame / fps, values });
        this.frame += 1;
      }
      this.step += 1;
    }
    const passed = Math.min(start, sound.length);
    this.sound = sound.slice(passed);
    this.first += passed;
    return told;
  }
}

// Log-mel bands of a window of sound.
class Spectrum {
  constructor({ windowSize, fftSize, floor, bands }, { window, filters }) {
    Object.assign(this, { windowSize, fftSize, floor, window, filters });
    this.real = new Float64Array(fftSize);
    this.imaginary = new Float64Array(fftSize);
    const turn = Float64Array.from({ length: fftSize / 2 }, (_, i) => (2 * Math.PI * i) / fftSize);
    [this.cosines, this.sines] = [turn.map(Math.cos), turn.map(Math.sin)];
    const bits = Math.log2(fftSize);
    this.places = Uint32Array.from({ length: fftSize }, (_, index) => {
      let place = 0;
      for (let bit = 0; bit < bits; bit++) place |= ((index >> bit) & 1) << (bits - 1 - bit);
      return place;
    });
    // Of each filter, which is 0 but for a few bins: its first bin, and the one after its last.
    const rows = Array.from({ length: bands }, (_, band) => {
      const filled = Array.from({ length: fftSize / 2 + 1 }, (_, bin) => bin).filter(
        (bin) => filters[bin * bands + band],
      );
      return [filled[0] ?? 0, (filled.at(-1) ?? -1) + 1];
    });
    this.filled = rows;
  }

  bands(samples, out) {
    const { real, imaginary, filters, filled } = this;
    real.fill(0);
    imaginary.fill(0);
    for (let i = 0; i < samples.length; i++) real[this.places[i]] = samples[i] * this.window[i];
    this.transform();
    for (let band = 0; band < out.length; band++) {
      const [from, to] = filled[band];
      let energy = 0;
      for (let bin = from; bin < to; bin++) {
        energy += (real[bin] * real[bin] + imaginary[bin] * imaginary[bin]) * filters[bin * out.length + band];
      }
      out[band] = Math.log(energy + this.floor);
    }
  }

  // The fast Fourier transform of samples that lie in the order of reversed bits (Cooley and Tukey, 1965).
  transform() {
    const { real, imaginary, cosines, sines, fftSize } = this;
    for (let half = 1; half < fftSize; half *= 2) {
      const stride = fftSize / (2 * half);
      for (let from = 0; from < fftSize; from += 2 * half) {
        for (let i = 0; i < half; i++) {
          const [low, high] = [from + i, from + i + half];
          const [cosine, sine] = [cosines[i * stride], sines[i * stride]];
          const turned = real[high] * cosine + imaginary[high] * sine;
          const crossed = imaginary[high] * cosine - real[high] * sine;
          real[high] = real[low] - turned;
          imaginary[high] = imaginary[low] - crossed;
          real[low] += turned;
          imaginary[low] += crossed;
        }
      }
    }
  }
}

// model.causal_model: the curves of one frame after another.
class CausalDecoder {
  constructor(network, arrays, domain, lookahead) {
    Object.assign(this, { network, arrays });
    const columns = arrays.domains.length / network.domains.length;
    this.domain = arrays.domains.slice(domain * columns, (domain + 1) * columns);
    const of = (name) => arrays[`${name}_${lookahead}`];
    [this.means, this.stds, this.offset] = ["means", "stds", "offset"].map(of);
    this.width = this.offset.length + columns;
    this.layers = Array.from({ length: network.layers }, (_, number) => ({
      weight: arrays[`weight_${number}`],
      bias: arrays[`bias_${number}`],
      scale: of(`scale_${number}`),
      shift: of(`shift_${number}`),
      normed: new Float64Array(network.kernel * this.width), // of this frame and those before
    }));
    this.heard = new Float64Array(this.means.length);
    this.x = new Float64Array(this.width);
    this.convolved = new Float64Array(this.width);
    this.curves = new Float64Array(network.places.length);
  }

  forget() {
    for (const { normed } of this.layers) normed.fill(0);
  }

  next(steps) {
    const { network, arrays, heard, x, curves } = this;
    for (let i = 0; i < heard.length; i++) heard[i] = (steps[i] - this.means[i]) / this.stds[i];
    multiply(arrays.project, heard, this.offset, x);
    x.set(this.domain, this.offset.length);
    for (const layer of this.layers) this.convolve(layer);
    multiply(arrays.head, x, arrays.head_bias, curves);
    const values = new Float32Array(network.values);
    for (const [i, place] of network.places.entries()) {
      const value = network.output === "tanh" ? Math.tanh(curves[i]) : curves[i];
      values[place] = value * arrays.scale[i] + arrays.mean[i];
    }
    return values;
  }

  convolve({ weight, bias, scale, shift, normed }) {
    const { x, width, convolved } = this;
    let mean = 0;
    for (const value of x) mean += value / width;
    let variance = 0;
    for (const value of x) variance += (value - mean) ** 2 / width;
    const deviation = Math.sqrt(variance + this.network.epsilon);
    normed.copyWithin(0, width);
    const last = normed.length - width;
    for (let i = 0; i < width; i++) normed[last + i] = ((x[i] - mean) / deviation) * scale[i] + shift[i];
    multiply(weight, normed, bias, convolved);
    for (let i = 0; i < width; i++) x[i] += gelu(convolved[i]);
  }
}

// out = bias + weight · x, of as many rows as bias has; weight's rows lie one after the other. Four rows at a time: each
// value of x is read once for them.
function multiply(weight, x, bias, out) {
  const [rows, columns] = [bias.length, x.length];
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const first = row * columns;
    const [second, third, fourth] = [first + columns, first + 2 * columns, first + 3 * columns];
    let [a, b, c, d] = [bias[row], bias[row + 1], bias[row + 2], bias[row + 3]];
    for (let i = 0; i < columns; i++) {
      const value = x[i];
      a += weight[first + i] * value;
      b += weight[second + i] * value;
      c += weight[third + i] * value;
      d += weight[fourth + i] * value;
    }
    out[row] = a;
    out[row + 1] = b;
    out[row + 2] = c;
    out[row + 3] = d;
  }
  for (; row < rows; row++) {
    let sum = bias[row];
    for (let i = 0; i < columns; i++) sum += weight[row * columns + i] * x[i];
    out[row] = sum;
  }
}

function gelu(x) {
  return 0.5 * x * (1 + erf(x * Math.SQRT1_2));
}

// To 1.5e-7: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26.
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - tail * Math.exp(-x * x));
}
