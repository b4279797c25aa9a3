// Brows that rise with what the voice stresses, as in postprocess/life/brows.py.
import { Pulses, Sway } from "./movement.js";

export class Brows {
  // size: times the usual amplitudes.
  constructor(life, random, size) {
    Object.assign(this, life.brows, { random, size, raises: new Pulses() });
    this.sway = new Sway(life, random, this.REST_HZ, this.REST);
    this.outer = random.between(...this.OUTER);
    this.uneven = random.between(...this.UNEVEN);
  }

  step(now, { begins, accent }) {
    const { random, LIFT, LIFT_LEAST } = this;
    if (begins) this.raise(now, this.OPENING_LIFT * random.uniform());
    else if (accent && random.uniform() < this.CHANCE) {
      this.raise(now, LIFT_LEAST + (LIFT - LIFT_LEAST) * accent * random.uniform());
    }
  }

  raise(now, size) {
    this.raises.add(now, this.RISE_S, this.random.between(...this.HOLD_S), this.FALL_S, this.size * size);
  }

  // BrowInnerUp, and BrowOuterUp left and right.
  at(time) {
    const inner = this.raises.at(time) + this.size * (this.REST_LIFT + this.sway.at(time));
    const outer = this.outer * inner;
    return [inner, outer * (1 + this.uneven), outer * (1 - this.uneven)].map((value) => Math.max(value, 0));
  }
}
