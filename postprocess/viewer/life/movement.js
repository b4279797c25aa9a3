// How things move, as in postprocess/life/movement.py: from rest to rest, what comes and goes, what sways.

// 0 at 0, 1 at 1, at rest at both: the path of least jerk (Flash & Hogan 1985).
export function ease(share) {
  if (share <= 0) return 0;
  return share >= 1 ? 1 : share ** 3 * (10 - 15 * share + 6 * share * share);
}

// A value that goes from place to place; moves may overlap, for they add up. Asked at rising times.
export class Glide {
  constructor() {
    Object.assign(this, { goal: 0, settled: 0, moves: [] });
  }

  // Be at the goal after the move.
  go(start, duration, goal) {
    this.moves.push({ start, duration, by: goal - this.goal });
    this.goal = goal;
  }

  at(time) {
    while (this.moves.length && time >= this.moves[0].start + this.moves[0].duration) {
      this.settled += this.moves.shift().by;
    }
    return this.moves.reduce(
      (sum, { start, duration, by }) => sum + by * ease((time - start) / duration),
      this.settled,
    );
  }
}

// Movements that come and go; those that overlap add up. Asked at rising times.
export class Pulses {
  constructor() {
    this.pulses = [];
  }

  add(start, rise, hold, fall, size) {
    this.pulses.push({ start, rise, hold, fall, size });
  }

  at(time) {
    this.pulses = this.pulses.filter(({ start, rise, hold, fall }) => time <= start + rise + hold + fall);
    return this.pulses.reduce((sum, { start, rise, hold, fall, size }) => {
      const since = time - start;
      return sum + size * (since < rise ? ease(since / rise) : 1 - ease((since - rise - hold) / fall));
    }, 0);
  }
}

// A slow wander about 0: sines of RATES, of rms `size` together.
export class Sway {
  constructor({ movement: { RATES, UNEVEN } }, random, slowestHz, size) {
    const jitter = RATES.map(() => random.between(...UNEVEN));
    const phases = RATES.map(() => random.between(0, 2 * Math.PI));
    this.sines = RATES.map((rate, i) => [2 * Math.PI * slowestHz * rate * jitter[i], phases[i]]);
    this.size = size * Math.sqrt(2 / RATES.length);
  }

  at(time) {
    return this.size * this.sines.reduce((sum, [pace, phase]) => sum + Math.sin(pace * time + phase), 0);
  }
}
