// Where eyes look, as in postprocess/life/gaze.py: at the person spoken to and away, by saccades that the head follows.
import { Glide, Sway } from "./movement.js";
import { Deck } from "./seeded.js";

// Angles are degrees: yaw to the own left, pitch upwards.
export class Gaze {
  // size: times the usual amplitudes.
  constructor(life, random, size) {
    Object.assign(this, life.gaze, { random, size, away: false, since: 0 });
    [this.eyes, this.head, this.micro] = [1, 2, 3].map(() => [new Glide(), new Glide()]); // yaw, pitch
    this.drift = [1, 2].map(() => new Sway(life, random, this.DRIFT_HZ, this.DRIFT_DEG));
    [this.amplitudes, this.directions] = [new Deck(random), new Deck(random)];
    this.stays = { false: new Deck(random), true: new Deck(random) };
    this.due = this.stays.false.exponential();
    this.microDue = this.MICRO_MEAN_S * random.exponential();
  }

  // A step of sound later: how far a saccade that starts now goes; 0 without one.
  step(now, speaking) {
    this.since += this.STEP_S / (this.away ? this.AWAY_S : this.AT_S)[speaking];
    if (now >= this.microDue) this.microSaccade(now);
    if (this.since < this.due) return 0;
    this.away = !this.away;
    [this.since, this.due] = [0, this.stays[this.away].exponential()];
    const target = this.away ? this.target(this.amplitudes.uniform(), this.directions.uniform(), speaking) : [0, 0];
    return this.saccade(
      now,
      target.map((angle) => this.size * angle),
    );
  }

  saccade(now, goals) {
    const length = Math.hypot(...this.eyes.map((eye, axis) => goals[axis] - eye.goal));
    const out = Math.hypot(...goals);
    const share = out ? (this.HEAD_SHARE * Math.max(out - this.HEAD_FROM_DEG, 0)) / out : 0;
    const turn = Math.hypot(...this.head.map((head, axis) => share * goals[axis] - head.goal));
    for (const [axis, goal] of goals.entries()) {
      this.eyes[axis].go(now, this.DURATION_S + this.DURATION_S_DEG * length, goal);
      if (turn) this.head[axis].go(now + this.HEAD_LATE_S, this.HEAD_S + this.HEAD_S_DEG * turn, share * goal);
    }
    return length;
  }

  microSaccade(now) {
    const radius = this.MICRO_DEG * Math.sqrt(this.random.uniform());
    const angle = this.random.between(0, 2 * Math.PI);
    this.micro[0].go(now, this.DURATION_S, this.size * radius * Math.cos(angle));
    this.micro[1].go(now, this.DURATION_S, this.size * radius * Math.sin(angle));
    this.microDue = now + this.MICRO_MEAN_S * this.random.exponential();
  }

  // Of a look away: the shares of looks, in [0, 1), that go less far and that come before it around the circle.
  target(amplitude, direction, speaking) {
    const { FULL, LARGEST_P, SCALE_DEG, DIRECTIONS } = this;
    const leastP = FULL * Math.exp(-this.LARGEST_DEG[speaking] / SCALE_DEG);
    const length = -SCALE_DEG * Math.log((LARGEST_P - amplitude * (LARGEST_P - leastP)) / FULL);
    let [sector, rest] = [0, direction * DIRECTIONS.reduce((sum, share) => sum + share, 0)];
    while (sector < DIRECTIONS.length - 1 && rest >= DIRECTIONS[sector]) rest -= DIRECTIONS[sector++];
    const angle = (Math.PI / 4) * (sector - 0.5 + rest / DIRECTIONS[sector]);
    return [length * Math.cos(angle), length * Math.sin(angle)];
  }

  // Yaw and pitch in space.
  at(time) {
    const { eyes, micro, drift, size } = this;
    return eyes.map((eye, axis) => eye.at(time) + micro[axis].at(time) + size * drift[axis].at(time));
  }

  // Yaw and pitch by which the head follows.
  headAt(time) {
    return this.head.map((head) => head.at(time));
  }
}
