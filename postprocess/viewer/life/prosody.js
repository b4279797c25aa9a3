// The voice as it comes in, as postprocess/life/prosody.py hears it: level and pitch each hundredth of a second, and
// what a face does something about.

// Level and pitch of each step: {levelDb of full scale, pitchHz or 0}.
export class Ear {
  constructor({ prosody }) {
    Object.assign(this, prosody, { left: new Float32Array(prosody.REACH_SAMPLES) }); // silence before the first sample
    this.normalised = new Float64Array(Math.ceil(this.SAMPLE_RATE / this.LOWEST_HZ) + 1);
  }

  // samples: a Float32Array at 16 kHz, after those before.
  *hear(samples) {
    const [sound, size] = [new Float32Array(this.left.length + samples.length), 2 * this.REACH_SAMPLES];
    sound.set(this.left);
    sound.set(samples, this.left.length);
    let start = 0;
    for (; start + size <= sound.length; start += this.STEP_SAMPLES) {
      const window = sound.subarray(start, start + size);
      yield { levelDb: this.levelDb(window), pitchHz: this.pitchHz(window) };
    }
    this.left = sound.slice(start);
  }

  // Of the window's middle 25 ms.
  levelDb(window) {
    const aside = (window.length - this.LEVEL_SAMPLES) / 2;
    let power = 0;
    for (let i = aside; i < aside + this.LEVEL_SAMPLES; i++) power += window[i] * window[i];
    return 10 * Math.log10(power / this.LEVEL_SAMPLES + 10 ** (this.QUIETEST_DB / 10));
  }

  // YIN (de Cheveigné & Kawahara 2002), steps 2 to 5, its differences added up one by one.
  pitchHz(window) {
    const { normalised, SAMPLE_RATE } = this;
    if (varying(window) <= this.FAINTEST) return 0;
    const length = window.length - normalised.length;
    let running = 0;
    for (let lag = 1; lag <= normalised.length; lag++) {
      let difference = 0;
      for (let i = 0; i < length; i++) {
        const by = window[i] - window[i + lag];
        difference += by * by;
      }
      running += difference;
      normalised[lag - 1] = (difference * lag) / (running + this.NOT_ZERO);
    }
    const place = this.dip(Math.floor(SAMPLE_RATE / this.HIGHEST_HZ) - 1, normalised.length - 1);
    const [before, at, after] = normalised.subarray(place - 1, place + 2);
    const curvature = before - 2 * at + after;
    const aside = curvature > this.NOT_FLAT ? (before - after) / (2 * curvature) : 0;
    return at < this.APERIODIC ? SAMPLE_RATE / (place + 1 + Math.min(0.5, Math.max(-0.5, aside))) : 0;
  }

  // The bottom of the first dip below APERIODIC of these places, else the deepest one.
  dip(first, end) {
    const { normalised, APERIODIC } = this;
    let deepest = first;
    for (let place = first; place < end; place++) {
      const rising = place === end - 1 || normalised[place + 1] >= normalised[place];
      if (normalised[place] < APERIODIC && rising) return place;
      if (normalised[place] < normalised[deepest]) deepest = place;
    }
    return deepest;
  }
}

// The sum of squares about the mean.
function varying(samples) {
  let [sum, squares] = [0, 0];
  for (const sample of samples) sum += sample;
  const mean = sum / samples.length;
  for (const sample of samples) squares += (sample - mean) * (sample - mean);
  return squares;
}

// Of what came last, each the less the longer ago.
class RunningMean {
  constructor(memory) {
    Object.assign(this, { memory, count: 0, value: 0 });
  }

  add(value) {
    this.count = Math.min(this.count + 1, this.memory);
    this.value += (value - this.value) / this.count;
  }
}

// Steps in, a cue each: {speaking, begins, ends, accent, lift}, which postprocess.life.prosody.Cue tells of.
export class VoiceFollower {
  constructor({ prosody }) {
    Object.assign(this, prosody);
    Object.assign(this, { speaking: false, voicedSteps: 0, silentSteps: this.ENDED_STEPS, phraseSteps: 0 });
    Object.assign(this, { ended: true, loudDb: this.LOUD_DB[0] });
    this.envelopeDb = this.valleyDb = this.peakDb = this.QUIETEST_DB;
    Object.assign(this, { sincePeak: 0, sinceAccent: Infinity, lift: 0, peakLift: 0, strongest: 0 });
    [this.usualDb, this.differDb] = [new RunningMean(this.SYLLABLES), new RunningMean(this.SYLLABLES)];
    this.usualPitch = new RunningMean(this.PITCHES); // semitones above 1 Hz
  }

  follow({ levelDb, pitchHz }) {
    const louder = levelDb - this.loudDb;
    this.loudDb = Math.max(this.loudDb + (louder > 0 ? this.LOUDER * louder : -this.FORGET_DB), this.LOUD_DB[1]);
    const voiced = levelDb > Math.max(this.loudDb - this.DEPTH_DB, this.FLOOR_DB);
    const lift = this.followPitch(voiced ? pitchHz : 0);
    const begins = this.followPhrase(voiced);
    const accent = this.phraseSteps ? this.followLevel(levelDb) : 0;
    this.strongest = Math.max(this.strongest, accent);
    return { speaking: this.speaking, begins, ends: this.ending(), accent, lift };
  }

  followPitch(pitchHz) {
    if (!pitchHz) {
      this.lift *= this.LIFT_KEPT;
      return 0;
    }
    const pitch = 12 * Math.log2(pitchHz);
    this.usualPitch.add(pitch);
    const above = Math.min(this.MOST_LIFT, Math.max(-this.MOST_LIFT, pitch - this.usualPitch.value));
    this.lift += this.LIFT * (above - this.lift);
    return this.lift;
  }

  // Whether a phrase begins.
  followPhrase(voiced) {
    this.voicedSteps = voiced ? this.voicedSteps + 1 : 0;
    this.silentSteps = voiced ? 0 : this.silentSteps + 1;
    const begins = this.ended && this.voicedSteps >= this.BEGUN_STEPS;
    if (begins) Object.assign(this, { ended: false, speaking: true, phraseSteps: this.voicedSteps, strongest: 0 });
    else if (!this.ended) this.phraseSteps += 1;
    if (this.silentSteps >= this.ENDED_STEPS) this.speaking = false;
    return begins;
  }

  // The strength of a phrase that ends here.
  ending() {
    if (this.ended || this.silentSteps < this.ENDING_STEPS) return 0;
    const length = (this.phraseSteps - this.ENDING_STEPS) * this.STEP_S;
    Object.assign(this, { ended: true, phraseSteps: 0 });
    return length >= this.LONG_S ? Math.max(this.LONG_ENDS, this.strongest) : this.SHORT_ENDS;
  }

  // The strength of an accent that has just been heard.
  followLevel(levelDb) {
    this.sincePeak += 1;
    this.sinceAccent += this.STEP_S;
    this.envelopeDb += this.ENVELOPE * (levelDb - this.envelopeDb);
    if (this.envelopeDb > this.peakDb) {
      Object.assign(this, { peakDb: this.envelopeDb, sincePeak: 0, peakLift: this.lift });
    } else if (this.peakDb - this.envelopeDb > this.FALL_DB || this.sincePeak > this.HELD_STEPS) {
      const [rise, peakDb] = [this.peakDb - this.valleyDb, this.peakDb];
      this.valleyDb = rise < this.RISE_DB ? Math.min(this.valleyDb, this.envelopeDb) : this.envelopeDb;
      this.peakDb = this.envelopeDb;
      return rise >= this.RISE_DB && this.sincePeak <= this.LATE_STEPS ? this.strength(peakDb) : 0;
    }
    return 0;
  }

  // Of a syllable, against those before it; 0 where it does not stand out or follows one that did.
  strength(peakDb) {
    this.usualDb.add(peakDb);
    const above = peakDb - this.usualDb.value;
    this.differDb.add(Math.abs(above));
    const byLevel = (this.BY_LEVEL * above) / Math.max(this.differDb.value, this.EVEN_DB);
    const strength = Math.min(1, this.USUAL + byLevel + this.BY_PITCH * this.peakLift);
    if (strength < this.ACCENT || this.sinceAccent < this.APART_S) return 0;
    this.sinceAccent = 0;
    return strength;
  }
}
