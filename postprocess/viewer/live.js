// The live page: a face by the clock of the sound that is heard, as a WebSocket tells both.
import { unpacked } from "./bundle.js";
import { $ } from "./dom.js";
import { Mesh } from "./head.js";
import { LiveSound } from "./live_sound.js";
import { Showing } from "./showing.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";

const PAST_S = 5; // that the curves show
const NEXT_S = 3; // and of what is to come: a server is two seconds ahead
const FUTURE_S = 30; // that is kept: a page that was held up lags behind its server
const PEAKS_A_FRAME = 10;
const AGAIN_MS = 1000;
const SAMPLE_BYTES = 2;
const SAMPLE_NUMBER_BYTES = 8;

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

  // Of a frame: its coefficients, and its angles in degrees, the head's first.
  put(time, values, angles) {
    const index = Math.round(time * this.fps) - this.first;
    if (index < 0 || index >= this.frames) return;
    const turn = angles.slice(0, 3).map((angle) => (angle * Math.PI) / 180);
    for (const [row, value] of [...values, ...turn].entries()) this.rows[row][index] = value;
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

class LivePage {
  constructor(about, arrays) {
    Object.assign(this, { about, interrupted: false });
    this.sound = new LiveSound(about.rateHz);
    this.stage = new Stage($("heads"), $("labels"), new Mesh(arrays, about.names), about.studio, () => {});
    this.stage.show([{ label: about.subject }]);
    $("sound").addEventListener("click", () => this.sound.context.resume());
    this.sound.context.addEventListener("statechange", () => this.showSound());
    this.showSound();
    this.connect();
    requestAnimationFrame((now) => this.tick(now));
  }

  connect() {
    this.say("connecting");
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/watch`);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => this.take(data));
    socket.addEventListener("close", ({ reason }) => {
      this.lost = reason || "no connection";
      this.sound.stop();
      setTimeout(() => this.connect(), AGAIN_MS);
    });
    socket.addEventListener("open", () => (this.lost = null));
    this.lost ??= "connecting";
  }

  take(data) {
    if (data instanceof ArrayBuffer) return this.hear(data);
    const told = JSON.parse(data);
    if (told.interrupt) this.interrupt();
    else if (told.names) this.begin(told);
    else this.passage?.put(told.time_s, told.values, told.angles_deg);
  }

  begin({ fps, lookahead_ms: lookahead }) {
    $("summary").textContent = `${Number(fps.toFixed(2))} frames a second · hears ${lookahead.toFixed(0)} ms ahead`;
    this.passage = new Passage(this.about, fps, () => this.timeline.build());
    this.timeline ??= new Timeline(this.passage.showing, this.passage, () => {});
    Object.assign(this.timeline, { showing: this.passage.showing, clock: this.passage });
    this.timeline.look(0, PAST_S + NEXT_S);
    this.timeline.build();
    this.sound.reached = this.sound.end = 0;
  }

  hear(data) {
    const first = new DataView(data).getFloat64(0, true);
    const count = (data.byteLength - SAMPLE_NUMBER_BYTES) / SAMPLE_BYTES;
    const samples = Float32Array.from(new Int16Array(data, SAMPLE_NUMBER_BYTES, count), (value) => value / 32768);
    this.interrupted = false;
    this.sound.give(first, samples);
    this.passage.move(this.sound.heard);
    this.passage.hear(first / this.about.rateHz, samples, this.about.rateHz);
  }

  interrupt() {
    this.interrupted = performance.now() / 1000;
    this.sound.stop();
    this.passage.forget();
  }

  // How much of the face is left: 1 while it is spoken, 0 at rest.
  get presence() {
    const { heldS, atRestS, interruptedS } = this.about.easing;
    const way = this.interrupted
      ? (performance.now() / 1000 - this.interrupted) / interruptedS
      : (this.sound.silence - heldS) / (atRestS - heldS);
    const left = 1 - Math.min(1, Math.max(0, way));
    return left * left * (3 - 2 * left);
  }

  tick(now) {
    requestAnimationFrame((next) => this.tick(next));
    const speaks = this.sound.silence === 0;
    this.say(this.lost ?? (speaks ? "speaking" : "listening"));
    this.stage.pace(speaks ? now - (this.ticked ?? now) || 1 : 0);
    this.ticked = speaks ? now : undefined;
    this.stage.draw([
      this.passage ? this.face() : { coefficients: new Float32Array(this.about.names.length), turn: [0, 0, 0] },
    ]);
  }

  face() {
    const { heard } = this.sound;
    this.passage.move(heard);
    if (heard !== this.drawn || this.timeline.stale) this.timeline.redraw();
    this.drawn = heard;
    this.timeline.draw();
    $("time").textContent = `${heard.toFixed(3)} s`;
    const { passage, presence } = this;
    const [coefficients, turn] = [passage.showing.coefficients(0, passage.time), passage.showing.turn(0, passage.time)];
    return { coefficients: coefficients.map((value) => value * presence), turn: turn.map((angle) => angle * presence) };
  }

  showSound() {
    $("sound").setAttribute("aria-pressed", !this.sound.audible);
    $("sound").hidden = this.sound.audible;
  }

  say(state) {
    if ($("state").textContent === state) return;
    $("state").textContent = state;
    $("state").dataset.state = this.lost ? "lost" : state;
  }
}

const night = matchMedia("(prefers-color-scheme: dark)");
const follow = () => (document.documentElement.dataset.theme = night.matches ? "dark" : "light");
night.addEventListener("change", follow);
follow();
const about = JSON.parse($("about").textContent);
new LivePage(about, await unpacked($("block").textContent, about.arrays));
