// Random numbers that postprocess/life/seeded.py draws too: equal seeds, equal faces.

// A text's 32-bit hash: FNV-1a (Fowler, Noll, Vo) of its UTF-8 bytes.
function fnv1a({ FNV_BASIS, FNV_PRIME }, text) {
  return new TextEncoder().encode(text).reduce((value, byte) => Math.imul(value ^ byte, FNV_PRIME), FNV_BASIS);
}

// Laws made of numbers that are even in [0, 1).
class Draws {
  between(low, high) {
    return low + (high - low) * this.uniform();
  }

  // Of mean 1.
  exponential() {
    return -Math.log(1 - this.uniform());
  }
}

// mulberry32 (T. Ettinger, public domain).
export class Seeded extends Draws {
  constructor({ seeded }, name) {
    super();
    Object.assign(this, seeded, { state: fnv1a(seeded, name) });
  }

  uniform() {
    this.state = (this.state + this.STEP) | 0;
    let word = this.state;
    word = Math.imul(word ^ (word >>> 15), word | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  }

  // Of mean 0 and deviation 1: Box and Muller's first, from two draws.
  normal() {
    const radius = Math.sqrt(2 * this.exponential());
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  // sigma: the deviation of its logarithm.
  logNormal(median, sigma) {
    return median * Math.exp(sigma * this.normal());
  }

  // STRATA numbers in (0, 1), one in each of as many equal parts, in random order.
  spread() {
    const { STRATA } = this;
    const numbers = Array.from({ length: STRATA }, (_, place) => (place + this.uniform() + 2 ** -33) / STRATA);
    for (let place = STRATA - 1; place > 0; place--) {
      const other = Math.floor((place + 1) * this.uniform());
      [numbers[place], numbers[other]] = [numbers[other], numbers[place]];
    }
    return numbers;
  }
}

// Draws from one spread after another.
export class Deck extends Draws {
  constructor(random) {
    super();
    Object.assign(this, { random, cards: [] });
  }

  uniform() {
    if (!this.cards.length) this.cards = this.random.spread();
    return this.cards.pop();
  }
}

// The number below which a share, in (0, 1), of a normal law of mean 0 and deviation 1 lies: by Newton's method from 0,
// which never goes too far there, on the law's series (Marsaglia 2004).
export function normalQuantile(share) {
  if (share < 0.5) return -normalQuantile(1 - share);
  let [x, step] = [0, 1];
  while (step > 1e-14) {
    const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
    let [term, sum] = [x, x];
    for (let odd = 3; term > 1e-17 * sum; odd += 2) {
      term *= (x * x) / odd;
      sum += term;
    }
    step = (share - 0.5) / density - sum;
    x += step;
  }
  return x;
}
