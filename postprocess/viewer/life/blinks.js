// When and how lids blink, as in postprocess/life/blinks.py.
import { ease } from "./movement.js";
import { normalQuantile } from "./seeded.js";

// A renewal process: intervals of one law on a clock that runs faster in speech, dealt by the hand.
export class Blinks {
  // rate: times the usual number.
  constructor({ blinks }, random, rate) {
    Object.assign(this, blinks, { random, seen: [], free: -1, since: 0 });
    const person = this.person();
    this.rates = { true: this.TALKING * person * rate, false: this.SILENT * person * rate };
    this.hand = this.deal();
    this.owed = -this.hand.at(-1) * random.uniform(); // in mean intervals
  }

  // A person's rates over the usual ones.
  person() {
    const ranges = Object.entries(this.RANGES);
    const low = Math.max(...ranges.map(([usual, [lowest]]) => lowest / usual));
    const high = Math.min(...ranges.map(([usual, [, highest]]) => highest / usual));
    for (;;) {
      const person = this.random.logNormal(1, this.SPREAD);
      if (low <= person && person <= high) return person;
    }
  }

  // A step of sound later. pause: a phrase ends; shift: the gaze moves far.
  step(now, speaking, pause, shift) {
    this.since += (this.rates[speaking] / 60) * this.STEP_S;
    const chance = shift ? this.SHIFT_CHANCE : pause ? this.PAUSE_CHANCE : 0;
    const brought = chance > 0 && this.random.uniform() < chance && this.choose();
    if (now < this.free || !(brought || this.since >= this.hand.at(-1) + this.owed)) return;
    const blink = this.blink(now);
    this.free = now + blink.closing + blink.shut + blink.opening + Math.abs(blink.lag) + this.APART_S;
    this.owed += this.hand.pop() - this.since;
    this.since = 0;
    if (!this.hand.length) this.hand = this.deal();
    this.seen = [...this.seen.slice(-1), blink];
  }

  // Take the interval of the hand that is nearest to being over; whether it is NEAR.
  choose() {
    const { hand } = this;
    const off = hand.map((interval) => Math.abs(interval - (this.since - this.owed)));
    const nearest = off.indexOf(Math.min(...off));
    if (off[nearest] > this.NEAR) return false;
    [hand[nearest], hand[hand.length - 1]] = [hand.at(-1), hand[nearest]];
    return true;
  }

  // How far the left and the right eye are closed, 0 to 1.
  at(time) {
    return [-1, 1].map((side) => Math.max(0, ...this.seen.map((blink) => this.lid(blink, time, side))));
  }

  lid({ start, closing, shut, opening, size, lag, uneven }, time, side) {
    const late = Math.max(side * lag, 0);
    const since = time - late - start;
    const open = since < closing ? ease(since / closing) : 1 - ease((since - closing - shut) / opening);
    return (late ? size * (1 - uneven) : size) * open;
  }

  // Intervals, as many as a spread has; the last is the next.
  deal() {
    const { INTERVAL_MEDIAN, INTERVAL_SIGMA } = this;
    return this.random.spread().map((share) => INTERVAL_MEDIAN * Math.exp(INTERVAL_SIGMA * normalQuantile(share)));
  }

  // lag: s of the right eye, negative: of the left one; uneven: of the size, that the later eye lacks.
  blink(start) {
    const { random } = this;
    const [shortest, longest] = this.CLOSING_RANGE_S;
    const closing = Math.min(longest, Math.max(shortest, random.logNormal(this.CLOSING_S, this.CLOSING_SIGMA)));
    const opening = closing * random.between(...this.OPENING);
    const size = random.uniform() < this.FULL_SHARE ? 1 : random.between(...this.PARTIAL);
    const lag = random.between(...this.LAG_S) * (random.uniform() < 0.5 ? 1 : -1);
    return {
      start,
      closing,
      opening,
      size,
      lag,
      shut: random.between(...this.SHUT_S),
      uneven: this.UNEVEN * random.uniform(),
    };
  }
}
