// The live page: a face by the clock of the sound that is heard, as a WebSocket tells both.
import { $, openPage } from "./dom.js";
import { followNight, LiveFace } from "./live_face.js";
import { LiveSound } from "./live_sound.js";

const AGAIN_MS = 1000;
const SAMPLE_BYTES = 2;
const SAMPLE_NUMBER_BYTES = 8;

class LivePage {
  constructor(about, arrays) {
    Object.assign(this, { about, interrupted: false });
    this.sound = new LiveSound(about.rateHz);
    this.face = new LiveFace(about, arrays);
    $("sound").addEventListener("click", () => this.sound.context.resume());
    this.sound.context.addEventListener("statechange", () => this.showSound());
    this.showSound();
    this.connect();
    requestAnimationFrame((now) => this.tick(now));
  }

  connect() {
    this.face.say("connecting");
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
    else this.put(told);
  }

  put({ time_s: time, values, angles_deg: angles }) {
    const turn = angles.slice(0, 3).map((angle) => (angle * Math.PI) / 180); // the head's
    this.face.passage?.put(time, [...values, ...turn]);
  }

  begin({ fps, lookahead_ms: lookahead }) {
    $("summary").textContent = `${Number(fps.toFixed(2))} frames a second · hears ${lookahead.toFixed(0)} ms ahead`;
    this.face.begin(fps);
    this.sound.reached = this.sound.end = 0;
  }

  hear(data) {
    const first = new DataView(data).getFloat64(0, true);
    const count = (data.byteLength - SAMPLE_NUMBER_BYTES) / SAMPLE_BYTES;
    const samples = Float32Array.from(new Int16Array(data, SAMPLE_NUMBER_BYTES, count), (value) => value / 32768);
    this.interrupted = false;
    this.sound.give(first, samples);
    this.face.passage.move(this.sound.heard);
    this.face.passage.hear(first / this.about.rateHz, samples, this.about.rateHz);
  }

  interrupt() {
    this.interrupted = performance.now() / 1000;
    this.sound.stop();
    this.face.passage.forget();
  }

  tick(now) {
    requestAnimationFrame((next) => this.tick(next));
    const { silence, heard } = this.sound;
    const state = this.lost ?? (silence === 0 ? "speaking" : "listening");
    this.face.say(state, this.lost ? "lost" : state);
    this.face.draw(now, silence === 0, heard, this.face.presence(silence, this.interrupted));
  }

  showSound() {
    $("sound").setAttribute("aria-pressed", !this.sound.audible);
    $("sound").hidden = this.sound.audible;
  }
}

followNight();
document.documentElement.classList.toggle("alone", new URLSearchParams(location.search).has("alone"));
await openPage((about, arrays) => new LivePage(about, arrays));
