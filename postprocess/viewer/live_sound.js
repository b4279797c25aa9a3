// Sound that comes in pieces, one behind the other on the audio clock, and how far it has been heard.
const AHEAD_S = 0.08; // that the first piece waits, so that the next ones are there in time

export class LiveSound {
  constructor(rateHz) {
    this.rateHz = rateHz;
    // At the sound's own rate: pieces that are resampled one by one would click where they meet.
    this.context = new AudioContext({ sampleRate: rateHz, latencyHint: "interactive" });
    this.context.addEventListener("statechange", () => this.stop());
    this.playing = new Set();
    this.offset = null; // of the clock's time over the sound's, s; null: nothing is playing
    this.end = 0; // of what was given, s
    this.reached = 0;
  }

  get audible() {
    return this.context.state === "running";
  }

  // Where there is no sound, because nobody asked for it yet, another clock stands for it.
  get clock() {
    return this.audible ? this.context.currentTime : performance.now() / 1000;
  }

  // From the clock to the ear, s.
  get latency() {
    return this.audible ? this.context.outputLatency || this.context.baseLatency || 0 : 0;
  }

  // How far it has been heard, s; it never goes back.
  get heard() {
    if (this.offset !== null) this.reached = Math.max(this.reached, Math.min(this.end, this.now));
    return this.reached;
  }

  // How long nothing has been heard, s.
  get silence() {
    return this.offset === null ? Infinity : Math.max(0, this.now - this.end);
  }

  get now() {
    return this.clock - this.latency - this.offset;
  }

  // first: number of the sound's first sample; samples: Float32Array.
  give(first, samples) {
    const begins = first / this.rateHz;
    if (this.offset === null || begins + this.offset < this.clock) {
      this.offset = Math.ceil((this.clock + AHEAD_S - begins) * this.rateHz) / this.rateHz;
      if (begins > this.end + 1) this.reached = begins; // we came while it was spoken
    }
    this.end = begins + samples.length / this.rateHz;
    if (this.audible) this.play(begins + this.offset, samples);
  }

  play(time, samples) {
    const source = this.context.createBufferSource();
    source.buffer = this.context.createBuffer(1, samples.length, this.rateHz);
    source.buffer.copyToChannel(samples, 0);
    source.connect(this.context.destination);
    source.addEventListener("ended", () => this.playing.delete(source));
    this.playing.add(source);
    source.start(time);
  }

  // Nothing more of what was given.
  stop() {
    for (const source of this.playing) source.stop();
    this.playing.clear();
    this.end = this.heard;
    this.offset = null;
  }
}
