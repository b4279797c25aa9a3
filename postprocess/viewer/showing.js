// The curves, which of them are chosen, and what follows from them; `told` is called after a change.
export class Showing {
  constructor(about, arrays, told) {
    Object.assign(this, about, { told });
    this.order = new Map(about.names.map((name, index) => [name, index]));
    this.peaks = arrays.peaks;
    const predictions = about.takes.map((_, index) => index).filter((index) => index !== about.target);
    this.takes = about.takes.map((take, index) => ({
      ...take,
      curves: arrays[`curves_${index}`],
      turns: arrays[`turns_${index}`],
      line: index === about.target ? "target" : String(1 + (predictions.indexOf(index) % 4)),
    }));
    this.compare(predictions[0]);
  }

  compare(index) {
    this.compared = index;
    this.errors = new Map();
    if (this.target === null) {
      this.ranked = [];
      return;
    }
    const shared = this.takes[index].channels.filter((name) => this.takes[this.target].channels.includes(name));
    for (const name of shared) {
      const [ours, theirs] = [this.curve(index, name), this.curve(this.target, name)];
      this.errors.set(
        name,
        ours.slice(0, Math.min(ours.length, theirs.length)).map((value, i) => Math.abs(value - theirs[i])),
      );
    }
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
    this.ranked = shared
      .map((name) => ({ name, error: mean(this.errors.get(name)) }))
      .sort((a, b) => b.error - a.error);
    this.largestError = Math.max(0, ...shared.map((name) => this.errors.get(name).reduce((a, b) => Math.max(a, b), 0)));
  }

  curve(index, name) {
    const { channels, curves, frames } = this.takes[index];
    const place = channels.indexOf(name);
    return curves.subarray(place * frames, (place + 1) * frames);
  }

  // A take shorter than the clip holds its last frame.
  value(index, name, frame) {
    return this.curve(index, name)[Math.min(frame, this.takes[index].frames - 1)];
  }

  // The takes that have a channel, with their place among all takes.
  takesWith(name) {
    return this.takes.map((take, index) => ({ take, index })).filter(({ take }) => take.channels.includes(name));
  }

  error(name) {
    return this.errors.get(name);
  }

  // A take's coefficients at a time, one for each of `names`, on straight lines between frames.
  coefficients(index, time) {
    const { channels, curves } = this.takes[index];
    const values = new Float32Array(this.names.length);
    this.rows(index, time, curves).forEach((value, row) => {
      values[this.order.get(channels[row])] = value;
    });
    return values;
  }

  // Yaw, pitch and roll of a take's head at a time, radians.
  turn(index, time) {
    return this.rows(index, time, this.takes[index].turns);
  }

  // What is between two frames, of each row of a take's curves or turns.
  rows(index, time, curves) {
    const { frames } = this.takes[index];
    const place = Math.max(0, Math.min(time * this.fps + 1e-6, frames - 1));
    const [before, weight] = [Math.floor(place), place % 1 < 1e-4 ? 0 : place % 1];
    const after = Math.min(before + 1, frames - 1);
    return Array.from(
      { length: curves.length / frames },
      (_, row) => curves[row * frames + before] * (1 - weight) + curves[row * frames + after] * weight,
    );
  }

  // Standard deviation in the first take that has the channel.
  swing(name) {
    const [{ index }] = this.takesWith(name);
    const values = this.curve(index, name);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  }

  liveliest() {
    const present = this.names.filter((name) => this.takesWith(name).length);
    return present.sort((a, b) => this.swing(b) - this.swing(a)).slice(0, this.preset);
  }

  // One scale for all curves that are drawn, so that their heights compare.
  get span() {
    let [low, high] = [0, 0.1];
    for (const name of this.shown) {
      for (const { index } of this.takesWith(name)) {
        for (const value of this.curve(index, name)) [low, high] = [Math.min(low, value), Math.max(high, value)];
      }
    }
    return [low, high];
  }

  toggle(name) {
    this.choose(this.shown.includes(name) ? this.shown.filter((other) => other !== name) : [...this.shown, name]);
  }

  choose(names) {
    this.shown = this.names.filter((name) => names.includes(name));
    this.told();
  }
}
