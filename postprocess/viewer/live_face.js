// What pages share that speak as one listens: a head, and its curves around the time that is heard.
import { $ } from "./dom.js";
import { Mesh } from "./head.js";
import { Showing } from "./showing.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";

const PAST_S = 5; // that the curves show
const NEXT_S = 3; // and of what is to come
const FUTURE_S = 30; // that is kept: a page that was held up lags behind what it is told
const PEAKS_A_FRAME = 10;

// The curves around what is heard, as Showing and Timeline know them: time 0 is PAST_S before it.
class Passage {
  constructor(about, fps, told) {
    Object.assign(this, { fps, first: -Math.round(PAST_S * fps), frames: Math.round((PAST_S + FUTURE_S) * fps) });
    this.time = PAST_S;
    this.range = null;
    const arrays = {
      curves_0: new Float32Array(about.names.length * this.frames),
      turns_0: new Float32Array(3 * this.frames),
      peaks: new Int8Array(2 * this.frames * PEAKS_A_FRAME),
    };
    const takes = [{ label: "live", channels: about.names, frames: this.frames }];
    const still = { fps, frames: this.frames, takes, target: null, words: [], groups: [], preset: 0 };
    this.showing = new Showing({ ...about, ...still, peaksHz: fps * PEAKS_A_FRAME }, arrays, told);
    this.showing.scrub = () => {}; // nobody puts the time of what is live
    this.rows = [
      ...about.names.map((name) => this.showing.curve(0, name)),
      ...[0, 1, 2].map((row) => arrays.turns_0.subarray(row * this.frames, (row + 1) * this.frames)),
      arrays.peaks,
    ];
  }

  get duration() {
    return this.frames / this.fps;
  }

  get frame() {
    return Math.floor(this.time * this.fps + 1e-6);
  }

  // The time that is heard, s.
  move(heard) {
    const [past, place] = [Math.round(PAST_S * this.fps), heard * this.fps + 1e-6];
    const frames = Math.floor(place) - past - this.first;
    if (frames > 0) {
      for (const row of this.rows) {
        const shift = Math.min(row.length, (frames * row.length) / this.frames);
        row.copyWithin(0, shift);
        row.fill(0, row.length - shift);
      }
      this.first += frames;
    }
    this.time = (place - this.first) / this.fps;
  }

  // Of a frame: its coefficients, then the head's angles in radians.
  put(time, values) {
    const index = Math.round(time * this.fps) - this.first;
    if (index < 0 || index >= this.frames) return;
    for (const [row, value] of values.entries()) this.rows[row][index] = value;
  }

  hear(begins, samples, rateHz) {
    const { peaks, peaksHz } = this.showing;
    for (const [index, sample] of samples.entries()) {
      const place = 2 * Math.floor((begins + index / rateHz - this.first / this.fps) * peaksHz + 1e-6);
      if (place < 0 || place >= peaks.length) continue;
      const level = Math.max(-127, Math.min(127, Math.round(sample * 127)));
      peaks[place] = Math.min(peaks[place], level);
      peaks[place + 1] = Math.max(peaks[place + 1], level);
    }
  }

  // Nothing of what was to come.
  forget() {
    for (const row of this.rows) row.fill(0, Math.ceil(((this.frame + 1) * row.length) / this.frames));
  }
}

export class LiveFace {
  constructor(about, arrays) {
    this.about = about;
    this.stage = new Stage($("heads"), $("labels"), new Mesh(arrays, about.names), about.studio, () => {});
    this.stage.show([{ label: about.subject }]);
  }

  // Another sound begins, at 0 s.
  begin(fps) {
    this.passage = new Passage(this.about, fps, () => this.timeline.build());
    this.timeline ??= new Timeline(this.passage.showing, this.passage, () => {});
    Object.assign(this.timeline, { showing: this.passage.showing, clock: this.passage });
    this.timeline.look(0, PAST_S + NEXT_S);
    this.timeline.build();
  }

  // How much of the face is left: 1 while it is spoken, 0 at rest. silence: s that nothing was heard; interrupted: when
  // it was, s of the page's time, or false.
  presence(silence, interrupted) {
    const { heldS, atRestS, interruptedS } = this.about.easing;
    const way = interrupted
      ? (performance.now() / 1000 - interrupted) / interruptedS
      : (silence - heldS) / (atRestS - heldS);
    const left = 1 - Math.min(1, Math.max(0, way));
    return left * left * (3 - 2 * left);
  }

  // heard: s; presence: of the face; rest: what is drawn in its stead where it is less than 1.
  draw(now, speaks, heard, presence, rest = this.rest) {
    this.stage.pace(speaks ? now - (this.ticked ?? now) || 1 : 0);
    this.ticked = speaks ? now : undefined;
    const face = this.passage ? this.face(heard) : rest;
    const mixed = (spoken, at) => spoken.map((value, place) => at[place] + presence * (value - at[place]));
    this.stage.draw([{ coefficients: mixed(face.coefficients, rest.coefficients), turn: mixed(face.turn, rest.turn) }]);
  }

  get rest() {
    return { coefficients: new Float32Array(this.about.names.length), turn: [0, 0, 0] };
  }

  face(heard) {
    const { passage, timeline } = this;
    passage.move(heard);
    if (heard !== this.drawn || timeline.stale) timeline.redraw();
    this.drawn = heard;
    timeline.draw();
    $("time").textContent = `${heard.toFixed(3)} s`;
    return { coefficients: passage.showing.coefficients(0, passage.time), turn: passage.showing.turn(0, passage.time) };
  }

  // state: a word; how: what it looks like.
  say(state, how = state) {
    if ($("state").textContent === state) return;
    $("state").textContent = state;
    $("state").dataset.state = how;
  }
}

// Dark or light as the system is.
export function followNight() {
  const night = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => (document.documentElement.dataset.theme = night.matches ? "dark" : "light");
  night.addEventListener("change", follow);
  follow();
}
