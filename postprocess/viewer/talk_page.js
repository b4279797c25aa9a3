// The page that needs no server: a microphone or a sound file drives the head, by the network that the page holds.
import { $, element, openPage, trouble } from "./dom.js";
import { followNight, LiveFace } from "./live_face.js";
import { LiveSound } from "./live_sound.js";
import { Microphone } from "./microphone.js";
import { Talk } from "./talk.js";

const PLAYED_HZ = 48000;
const PIECE_S = 0.1; // of a file, heard at a time
const SLICE_MS = 12; // of work on a file, before the page is drawn again
const GIVEN_S = 1; // pieces that are played
const SCHEDULED_S = 4; // of which are given ahead of what is heard
const TOLD_S = 20; // frames that the curves are given ahead of it
const RESUMED_MS = 500;
const APART_S = 0.15; // a microphone's face jumps to what was told last where it lags so far behind
const STRAIGHT = [0, 0, 0]; // the head's angles
const EVERY_MS = 100;
const [SHUTS_S, OPENS_S] = [0.09, 0.15]; // a blink

// Lids that shut now and then, the same for a seed: on the head alone, not in the csv.
class Blinks {
  constructor(seed) {
    Object.assign(this, { state: seed, next: 1 });
  }

  // From 0 to 1; a linear congruential generator (Numerical Recipes, 1992).
  get random() {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return this.state / 2 ** 32;
  }

  // How far they are shut at a time, s, that only grows.
  at(time) {
    const since = time - this.next;
    if (since > SHUTS_S + OPENS_S) this.next = time + 1.2 - 2.3 * Math.log(1 - this.random); // 17 a minute
    if (since < 0 || since > SHUTS_S + OPENS_S) return 0;
    return since < SHUTS_S ? since / SHUTS_S : 1 - (since - SHUTS_S) / OPENS_S;
  }
}

// What is spoken into the microphone: shown as soon as it is told.
class Spoken {
  constructor(talk, face) {
    Object.assign(this, {
      talk,
      face,
      name: "microphone",
      frames: [],
      samples: 0,
      reached: 0,
      ended: null,
      done: false,
    });
  }

  hear(samples) {
    const { rateHz } = this.talk.network;
    this.face.passage.hear(this.samples / rateHz, samples, rateHz);
    this.samples += samples.length;
    this.tell(this.talk.push(samples));
  }

  tell(frames) {
    for (const frame of frames) this.face.passage.put(frame.time, frame.values, STRAIGHT);
    this.frames.push(...frames);
  }

  end() {
    if (this.ended !== null) return;
    this.tell(this.talk.flush());
    this.done = true;
    this.ended = performance.now();
  }

  // Frames come in bursts: the time runs on between them, and is led back.
  tick(now) {
    const newest = this.frames.at(-1)?.time ?? 0;
    const running = this.reached + (now - (this.ticked ?? now)) / 1000;
    this.ticked = now;
    const led = Math.abs(newest - running) > APART_S ? newest : running + 0.1 * (newest - running);
    this.reached = Math.max(this.reached, Math.min(newest, led));
  }

  get heard() {
    return this.reached;
  }

  get silence() {
    return this.ended === null ? 0 : (performance.now() - this.ended) / 1000;
  }
}

// A sound file: heard through as fast as the machine can, and played as soon as its first frames are told.
class Played {
  constructor(talk, face, sound, { name, heardSamples, playedSamples }) {
    Object.assign(this, { talk, face, sound, name, heardSamples, playedSamples, frames: [], place: 0, done: false });
    this.reset();
  }

  reset() {
    this.sound.stop();
    this.sound.reached = this.sound.end = 0;
    Object.assign(this, { playing: false, given: 0, put: 0 });
  }

  // Resolves once all frames are told, or another sound took its place.
  async work() {
    const piece = Math.round(PIECE_S * this.talk.network.rateHz);
    while (!this.done && !this.dropped) {
      const until = performance.now() + SLICE_MS;
      while (!this.done && performance.now() < until) {
        this.frames.push(...this.talk.push(this.heardSamples.subarray(this.place, this.place + piece)));
        this.place += piece;
        if (this.place < this.heardSamples.length) continue;
        this.frames.push(...this.talk.flush());
        this.done = true;
      }
      this.serve();
      await new Promise((next) => setTimeout(next));
    }
  }

  // Give what is near: sound to be played, frames to be shown.
  serve() {
    const { face, sound, playedSamples } = this;
    if (!this.playing) return;
    const told = this.done ? Infinity : (this.frames.at(-1)?.time ?? 0);
    while (this.given < playedSamples.length) {
      const ends = this.given / PLAYED_HZ + GIVEN_S;
      if (ends > told || ends - GIVEN_S > sound.heard + SCHEDULED_S) break;
      const samples = playedSamples.subarray(this.given, this.given + GIVEN_S * PLAYED_HZ);
      sound.give(this.given, samples);
      face.passage.move(sound.heard);
      face.passage.hear(this.given / PLAYED_HZ, samples, PLAYED_HZ);
      this.given += samples.length;
    }
    for (; this.frames[this.put]?.time < sound.heard + TOLD_S; this.put++) {
      face.passage.put(this.frames[this.put].time, this.frames[this.put].values, STRAIGHT);
    }
  }

  end() {
    this.dropped = true;
    this.reset();
  }

  tick() {
    this.serve();
    if (this.given >= this.playedSamples.length && this.sound.silence > 1) this.playing = false;
  }

  get heard() {
    return this.sound.heard;
  }

  get silence() {
    return this.playing && this.given ? this.sound.silence : Infinity;
  }
}

class TalkPage {
  // weights: the network's arrays.
  constructor(about, arrays, weights) {
    Object.assign(this, { about, weights, network: about.network, source: null, turn: 0 });
    this.face = new LiveFace(about, arrays);
    this.sound = new LiveSound(PLAYED_HZ);
    this.blinks = new Blinks(0);
    this.write();
    this.listen();
    this.begin();
    requestAnimationFrame((now) => this.tick(now));
    setInterval(() => this.source?.tick(performance.now()), EVERY_MS); // a page in the background is not drawn
  }

  write() {
    const { lookaheads, domains, usual } = this.network;
    Object.assign($("lookahead"), { max: lookaheads.length - 1, value: usual, disabled: lookaheads.length < 2 });
    $("domain").replaceChildren(...domains.map((name, value) => element("option", { value }, name)));
    this.showSettings();
  }

  showSettings() {
    const { lookaheads, fps } = this.network;
    const { ms, heardMs } = lookaheads[$("lookahead").value];
    $("lookahead-ms").textContent = `${Number(ms.toFixed(1))} ms`;
    $("lookahead").style.setProperty("--part", $("lookahead").value / Math.max(1, lookaheads.length - 1));
    $("summary").textContent = `${Number(fps.toFixed(2))} frames a second · hears ${heardMs.toFixed(0)} ms ahead`;
  }

  listen() {
    const pressed = (id, act) => $(id).addEventListener("click", act);
    pressed("microphone", () => (this.microphone ? this.stop() : this.speak()));
    pressed("choose", () => $("file").click());
    pressed("play", () => (this.source.playing ? this.source.reset() : this.play()));
    pressed("save", () => this.save());
    $("file").addEventListener("change", () => {
      if ($("file").files.length) this.open($("file").files[0]);
      $("file").value = ""; // the same one may be chosen again
    });
    $("lookahead").addEventListener("input", () => this.showSettings());
    for (const id of ["lookahead", "domain"]) $(id).addEventListener("change", () => this.again());
    const dropping = (on) => document.body.classList.toggle("dropping", on);
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      dropping(true);
    });
    document.addEventListener("dragleave", () => dropping(false));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      dropping(false);
      if (event.dataTransfer.files.length) this.open(event.dataTransfer.files[0]);
    });
  }

  get talk() {
    return new Talk(this.network, this.weights, Number($("domain").value), Number($("lookahead").value));
  }

  begin() {
    this.face.begin(this.network.fps);
    $("trouble").hidden = true;
  }

  stop() {
    this.turn += 1; // what is being opened comes too late
    this.microphone?.close();
    this.microphone = null;
    this.source?.end();
    $("microphone").setAttribute("aria-pressed", false);
  }

  async speak() {
    this.stop();
    this.begin();
    const { turn } = this;
    try {
      const microphone = await Microphone.open(this.network.rateHz, (samples) => {
        if (this.microphone === microphone) this.source.hear(samples);
      });
      if (turn !== this.turn) return microphone.close();
      [this.microphone, this.source] = [microphone, new Spoken(this.talk, this.face)];
      $("microphone").setAttribute("aria-pressed", true);
    } catch (error) {
      trouble(error.message);
    }
  }

  async open(file) {
    this.stop();
    this.source = null;
    this.begin();
    this.show();
    const { turn } = this;
    const resumed = this.resumed();
    try {
      const [heardSamples, playedSamples] = await decoded(file, [this.network.rateHz, PLAYED_HZ]);
      if (turn !== this.turn) return;
      this.file = { name: file.name.replace(/\.[^.]*$/, ""), heardSamples, playedSamples };
      this.follow();
      if ((await resumed) && turn === this.turn) this.play();
    } catch (error) {
      if (turn === this.turn) trouble(error.message);
    }
  }

  // The file is heard by the settings as they are.
  follow() {
    this.source = new Played(this.talk, this.face, this.sound, this.file);
    this.source.work().catch((error) => trouble(error.message));
  }

  // Whether there is sound: a browser waits for a click before it gives any.
  resumed() {
    const { context } = this.sound;
    const late = new Promise((done) => setTimeout(done, RESUMED_MS));
    return Promise.race([context.resume(), late]).then(() => context.state === "running");
  }

  async play() {
    const { source } = this;
    await this.resumed();
    if (source !== this.source) return;
    source.reset();
    this.begin();
    source.playing = true;
    source.serve();
  }

  // After a setting was changed.
  again() {
    if (this.microphone) {
      this.source.end();
      this.begin();
      this.source = new Spoken(this.talk, this.face);
    } else if (this.source instanceof Played) {
      const { playing } = this.source;
      this.source.end();
      this.follow();
      if (playing) this.play();
      else this.begin();
    }
  }

  tick(now) {
    requestAnimationFrame((next) => this.tick(next));
    const { source } = this;
    source?.tick(now);
    const [heard, silence] = source ? [source.heard, source.silence] : [0, Infinity];
    const speaks = silence === 0;
    this.show(speaks);
    const blink = this.blinks.at(now / 1000);
    const lids = { EyeBlinkLeft: blink, EyeBlinkRight: blink };
    this.face.draw(now, speaks, heard, this.face.presence(silence, false), lids);
  }

  show(speaks = false) {
    const { source } = this;
    const working = source instanceof Played && !source.done;
    this.face.say(
      this.microphone ? "hearing you" : speaks ? "speaking" : working ? "listening" : "ready",
      speaks && "speaking",
    );
    $("play").disabled = !(source instanceof Played);
    $("play").textContent = source?.playing ? "Stop" : "Play";
    $("save").disabled = !(source?.frames.length && (source.done || this.microphone));
  }

  // The curves as a csv, as scripts/synthesize.py writes them.
  save() {
    const { names, decimals } = this.about;
    const rows = this.source.frames.map(({ values }) =>
      Array.from(values, (value) => Math.min(1, Math.max(0, value)).toFixed(decimals)).join(),
    );
    const url = URL.createObjectURL(new Blob([[names.join(), ...rows, ""].join("\n")], { type: "text/csv" }));
    element("a", { href: url, download: `${this.source.name}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }
}

// A file's channels in one, at each of these rates.
async function decoded(file, ratesHz) {
  const bytes = await file.arrayBuffer();
  const sounds = [];
  for (const rateHz of ratesHz) {
    let buffer;
    try {
      buffer = await new OfflineAudioContext(1, 1, rateHz).decodeAudioData(bytes.slice(0));
    } catch {
      throw new Error(`${file.name}: no sound that this browser can decode; take a wav, mp3, ogg, flac or m4a.`);
    }
    const mixed = new Float32Array(buffer.length);
    for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
      const samples = buffer.getChannelData(channel);
      for (let i = 0; i < mixed.length; i++) mixed[i] += samples[i] / buffer.numberOfChannels;
    }
    sounds.push(mixed);
  }
  return sounds;
}

followNight();
await openPage((about, arrays) => {
  const ofNetwork = Object.entries(arrays).filter(([name]) => name.startsWith(about.prefix));
  const network = Object.fromEntries(ofNetwork.map(([name, array]) => [name.slice(about.prefix.length), array]));
  new TalkPage(about, arrays, network);
});
