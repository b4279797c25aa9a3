// A face of a sound as it comes: the mouth by the network, and what lives besides by the sound and a seed, added as
// scripts/synthesize.py --enliven adds it.
export class TalkingFace {
  // talk: a Talk; enlivener: an Enlivener, of as many frames a second; life: its constants; names: of a talk's values.
  constructor(talk, enlivener, life, names) {
    Object.assign(this, { talk, enlivener, names, seen: life.flow.SEEN, parts: Object.values(life.enlivener.PARTS) });
    Object.assign(this, { living: life.enlivener.LIVING, angles: life.enlivener.HEAD, told: [], lives: [] });
    this.columns = [...names, ...this.angles];
    this.places = this.living.map((name) => this.columns.indexOf(name));
    [this.lowest, this.highest] = [names.map(() => Infinity), names.map(() => -Infinity)];
  }

  // How many frames are known in all their parts.
  get known() {
    return Math.min(this.told.length, this.lives.length);
  }

  push(samples) {
    this.tell(this.talk.push(samples), this.enlivener.hear(samples));
  }

  // The sound has ended.
  flush() {
    const rest = this.talk.flush();
    this.tell(rest, this.enlivener.finish(this.told.length + rest.length));
  }

  tell(frames, lives) {
    this.lives.push(...lives);
    for (const { time, values } of frames) {
      const held = Array.from(values, (value) => Math.min(1, Math.max(0, value)));
      this.told.push({ time, values: held });
      for (const [place, value] of held.entries()) {
        this.lowest[place] = Math.min(this.lowest[place], value);
        this.highest[place] = Math.max(this.highest[place], value);
      }
    }
  }

  // What moves already, with all of its part of the face, is left to itself.
  get leftAlone() {
    const moves = new Set(this.names.filter((_, place) => this.highest[place] - this.lowest[place] > this.seen));
    return new Set(this.parts.filter((part) => part.some((name) => moves.has(name))).flat());
  }

  // All that are known, as `frame` has them.
  frames() {
    const { leftAlone } = this;
    return Array.from({ length: this.known }, (_, index) => this.frame(index, leftAlone));
  }

  // Of `columns`, the angles in radians. Where a frame's mouth is known before what lives, it lives as the newest does.
  frame(index, leftAlone = this.leftAlone) {
    const row = [...this.told[index].values, ...this.angles.map(() => 0)];
    const lives = this.lives[Math.min(index, this.lives.length - 1)] ?? [];
    for (const [living, by] of lives.entries()) {
      const place = this.places[living];
      if (by === 0 || leftAlone.has(this.living[living])) continue;
      row[place] = place < this.names.length ? Math.min(1, Math.max(0, row[place] + by)) : by;
    }
    return row;
  }
}
