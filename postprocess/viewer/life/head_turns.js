// A head that goes with the voice, as in postprocess/life/head.py.
import { Glide, Pulses, Sway } from "./movement.js";

// Angles are degrees: yaw to the own left, pitch upwards, roll to the right shoulder.
export class HeadTurns {
  // size: times the usual amplitudes.
  constructor(life, random, size) {
    Object.assign(this, life.head, { random, size, now: 0, before: [0, 0], nods: new Pulses() });
    const swayHz = () => this.SWAY_HZ * random.between(...this.SWAY_UNEVEN);
    this.sways = this.SWAY_DEG.map((deg) => new Sway(life, random, swayHz(), deg));
    this.stance = this.STANCE_DEG.map(() => new Glide());
    this.breath = [random.between(0, 2 * Math.PI), this.BREATH_HZ * random.between(...this.BREATH_UNEVEN)];
    [this.lift, this.stir] = [
      [0, 0],
      [0, 0],
    ]; // smoothed once and twice
  }

  step(now, { speaking, begins, ends, accent, lift }) {
    const { random, nods } = this;
    Object.assign(this, { now, before: [this.lift[1], this.stir[1]] });
    lowPass(this.lift, lift, this.STEP_S / this.LIFT_S);
    lowPass(this.stir, Number(speaking), this.STEP_S / this.STIR_S);
    if (begins) {
      for (const [axis, deg] of this.STANCE_DEG.entries()) {
        this.stance[axis].go(now, random.between(...this.STANCE_S), deg * random.between(-1, 1));
      }
      nods.add(now, this.READY_RISE_S, this.READY_HOLD_S, this.READY_FALL_S, this.READY_DEG * random.uniform());
    } else if (ends > this.NOD_FROM) {
      const size = -this.NOD_DEG * ends * random.between(...this.NOD_SHARE);
      nods.add(now, this.NOD_RISE_S, this.NOD_HOLD_S, this.NOD_FALL_S, size);
    } else if (accent && random.uniform() < this.BEAT_CHANCE) {
      const size = -this.BEAT_DEG * accent * random.between(...this.BEAT_SHARE);
      nods.add(now, this.NOD_RISE_S, this.BEAT_HOLD_S, this.NOD_FALL_S, size);
    }
  }

  // Yaw, pitch and roll at a time of the last step or up to one before.
  at(time) {
    const behind = Math.min(Math.max((this.now - time) / this.STEP_S, 0), 1);
    const newest = [this.lift[1], this.stir[1]];
    const [lift, stir] = newest.map((value, i) => value + behind * (this.before[i] - value));
    const lively = this.CALM + (1 - this.CALM) * stir;
    const [yaw, pitch, roll] = this.sways.map((sway, axis) => lively * sway.at(time) + this.stance[axis].at(time));
    const [phase, breathHz] = this.breath;
    const breathes = this.BREATH_DEG * (1 - this.BREATH_HELD * stir);
    const breath = breathes * Math.sin(2 * Math.PI * breathHz * time + phase);
    const nodding = pitch + this.nods.at(time) + this.LIFT_DEG * lift + breath;
    return [yaw, nodding, roll].map((angle) => this.size * angle);
  }
}

// Two low-passes of one pole, one after the other.
function lowPass(stages, goal, share) {
  stages[0] += share * (goal - stages[0]);
  stages[1] += share * (stages[0] - stages[1]);
}
