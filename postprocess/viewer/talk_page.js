// The page that needs no server: a microphone or a sound file drives the head, by the network that the page holds.
import { $, element, openPage, trouble } from "./dom.js";
import { Enlivener } from "./life/enlivener.js";
import { followNight, LiveFace } from "./live_face.js";
import { LiveSound } from "./live_sound.js";
import { Microphone } from "./microphone.js";
import { Resampler } from "./resampler.js";
import { ownRate } from "./sound_file.js";
import { Talk } from "./talk.js";
import { TalkingFace } from "./talking_face.js";

const PLAYED_HZ = 48000;
const DECODED_HZ = [8000, 96000]; // what every browser decodes to
const PIECE_S = 0.1; // of a file, heard at a time
const SLICE_MS = 12; // of work on a file, before the page is drawn again
const GIVEN_S = 1; // pieces that are played
const SCHEDULED_S = 4; // of which are given ahead of what is heard
const TOLD_S = 20; // frames that the curves are given ahead of it
const RESUMED_MS = 500;
const APART_S = 0.15; // a microphone's face jumps to what was told last where it lags so far behind
const EVERY_MS = 100;
const IDLE_FPS = 60;
const RISEN_S = 0.2; // a face that begins to speak has left off being idle
const SPOKEN = "microphone"; // the clip's name
const LONGEST_TICK_S = 0.1; // that a face lives on, who waits: a page in the background is not drawn
const CALM = "neutral"; // the mood

// A face while nobody speaks: it blinks and looks about.
class Idle {
  constructor(enlivener, names) {
    Object.assign(this, { enlivener, names, row: enlivener.LIVING.map(() => 0) });
  }

  // What is drawn at a time of the page, ms: coefficients, and the head's turn in radians.
  at(now) {
    const { LIVING, HEAD, SAMPLE_RATE } = this.enlivener;
    const passed = Math.min((now - (this.ticked ?? now)) / 1000, LONGEST_TICK_S);
    this.ticked = now;
    this.row = this.enlivener.hear(new Float32Array(Math.round(passed * SAMPLE_RATE))).at(-1) ?? this.row;
    const value = (name) => this.row[LIVING.indexOf(name)] ?? 0;
    return { coefficients: this.names.map((name) => Math.min(1, value(name))), turn: HEAD.map(value) };
  }
}

// What is spoken into the microphone: shown as soon as the mouth is told, which is sooner than what lives besides.
class Spoken {
  constructor(talking, face) {
    Object.assign(this, { talking, face, name: SPOKEN, samples: 0, reached: 0, put: 0, ended: null, done: false });
  }

  hear(samples) {
    const { rateHz } = this.talking.talk.network;
    this.face.passage.hear(this.samples / rateHz, samples, rateHz);
    this.samples += samples.length;
    this.talking.push(samples);
    this.show();
  }

  show() {
    const { told } = this.talking;
    for (; this.put < told.length; this.put++) {
      this.face.passage.put(told[this.put].time, this.talking.frame(this.put));
    }
  }

  end() {
    if (this.ended !== null) return;
    this.talking.flush();
    this.show();
    this.done = true;
    this.ended = performance.now();
  }

  // Frames come in bursts: the time runs on between them, and is led back.
  tick(now) {
    const newest = this.talking.told.at(-1)?.time ?? 0;
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

// A sound file: heard through as fast as the machine can, and played as soon as its first seconds are told.
class Played {
  // resampler: of its own rate to the network's.
  constructor(talking, face, sound, resampler, { name, ownSamples, playedSamples }) {
    Object.assign(this, { talking, face, sound, resampler, name, ownSamples, playedSamples, place: 0, done: false });
    this.reset();
  }

  reset() {
    this.sound.stop();
    this.sound.reached = this.sound.end = 0;
    Object.assign(this, { playing: false, given: 0, put: 0 });
  }

  // Resolves once all frames are told, or another sound took its place.
  async work() {
    const piece = Math.round(PIECE_S * this.resampler.rate);
    while (!this.done && !this.dropped) {
      const until = performance.now() + SLICE_MS;
      while (!this.done && performance.now() < until) {
        this.talking.push(this.resampler.push(this.ownSamples.subarray(this.place, this.place + piece)));
        this.place += piece;
        if (this.place < this.ownSamples.length) continue;
        this.talking.push(this.resampler.flush());
        this.talking.flush();
        this.done = true;
      }
      this.serve();
      await new Promise((next) => setTimeout(next));
    }
  }

  // Give what is near: sound to be played, frames to be shown.
  serve() {
    const { face, sound, playedSamples, talking } = this;
    if (!this.playing) return;
    const told = this.done ? Infinity : talking.known / talking.talk.network.fps;
    if (told < SCHEDULED_S) return; // what moves by itself shows in the first seconds
    while (this.given < playedSamples.length) {
      const ends = this.given / PLAYED_HZ + GIVEN_S;
      if (ends > told || ends - GIVEN_S > sound.heard + SCHEDULED_S) break;
      const samples = playedSamples.subarray(this.given, this.given + GIVEN_S * PLAYED_HZ);
      sound.give(this.given, samples);
      face.passage.move(sound.heard);
      face.passage.hear(this.given / PLAYED_HZ, samples, PLAYED_HZ);
      this.given += samples.length;
    }
    for (; this.put < talking.known && talking.told[this.put].time < sound.heard + TOLD_S; this.put++) {
      face.passage.put(talking.told[this.put].time, talking.frame(this.put));
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
    Object.assign(this, {
      about,
      weights,
      network: about.network,
      life: about.life,
      source: null,
      turn: 0,
      presence: 0,
    });
    this.face = new LiveFace(about, arrays);
    this.sound = new LiveSound(PLAYED_HZ);
    this.write();
    this.rest();
    this.listen();
    this.begin();
    requestAnimationFrame((now) => this.tick(now));
    setInterval(() => this.source?.tick(performance.now()), EVERY_MS); // a page in the background is not drawn
  }

  write() {
    const { lookaheads, domains, usual } = this.network;
    Object.assign($("lookahead"), { max: lookaheads.length - 1, value: usual, disabled: lookaheads.length < 2 });
    $("domain").replaceChildren(...domains.map((name, value) => element("option", { value }, name)));
    $("mood").replaceChildren(...Object.keys(this.life.mood.POSES).map((name) => element("option", {}, name)));
    $("mood").value = CALM;
    this.showSettings();
  }

  showSettings() {
    const { lookaheads, fps } = this.network;
    const { ms, heardMs } = lookaheads[$("lookahead").value];
    $("lookahead-ms").textContent = `${Number(ms.toFixed(1))} ms`;
    for (const id of ["liveliness", "strength"]) $(`${id}-share`).textContent = `${Math.round(100 * $(id).value)} %`;
    $("strength").disabled = $("mood").value === CALM;
    for (const slider of document.querySelectorAll(".settings [type=range]")) {
      slider.style.setProperty("--part", slider.value / Math.max(1, slider.max));
    }
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
    $("settings").addEventListener("input", () => this.showSettings());
    $("settings").addEventListener("change", () => this.again());
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

  // A face of a sound, by the settings as they are; clip: its name.
  talking(clip) {
    const { about, life, network, weights } = this;
    const talk = new Talk(network, weights, Number($("domain").value), Number($("lookahead").value));
    return new TalkingFace(talk, this.enlivener(clip, network.fps), life, about.names);
  }

  enlivener(clip, fps) {
    const amount = Number($("liveliness").value);
    return new Enlivener(this.life, {
      seed: Math.trunc($("seed").value),
      clip,
      fps,
      manner: { blinks: amount, gaze: amount, brows: amount, head: amount },
      mood: { name: $("mood").value, strength: Number($("strength").value) },
    });
  }

  rest() {
    this.idle = new Idle(this.enlivener("", IDLE_FPS), this.about.names);
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
      [this.microphone, this.source] = [microphone, new Spoken(this.talking(SPOKEN), this.face)];
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
      const bytes = await file.arrayBuffer();
      const rate = decodable(ownRate(bytes));
      const [ownSamples, playedSamples] = await decoded(file.name, bytes, [rate, PLAYED_HZ]);
      if (turn !== this.turn) return;
      this.file = { name: file.name.replace(/(?<=.)\.[^.]+$/, ""), rate, ownSamples, playedSamples };
      this.follow();
      if ((await resumed) && turn === this.turn) this.play();
    } catch (error) {
      if (turn === this.turn) trouble(error.message);
    }
  }

  // The file is heard by the settings as they are.
  follow() {
    const resampler = new Resampler(this.about.resampling, this.file.rate, this.network.rateHz);
    this.source = new Played(this.talking(this.file.name), this.face, this.sound, resampler, this.file);
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
    this.rest();
    if (this.microphone) {
      this.source.end();
      this.begin();
      this.source = new Spoken(this.talking(SPOKEN), this.face);
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
    const risen = this.presence + (now - (this.ticked ?? now)) / 1000 / RISEN_S;
    this.presence = Math.min(this.face.presence(silence, false), risen);
    this.ticked = now;
    this.face.draw(now, speaks, heard, this.presence, this.idle.at(now));
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
    $("save").disabled = !(source?.talking.known && (source.done || this.microphone));
  }

  // The curves as a csv, as scripts/synthesize.py --enliven writes them.
  save() {
    const { talking, name } = this.source;
    const rows = talking.frames().map((row) => row.map((value) => value.toFixed(this.about.decimals)).join());
    const url = URL.createObjectURL(new Blob([[talking.columns.join(), ...rows, ""].join("\n")], { type: "text/csv" }));
    element("a", { href: url, download: `${name}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }
}

// The rate at which a file of its own one is decoded: itself, so that nobody else resamples it, where browsers can.
function decodable(rateHz) {
  return rateHz >= DECODED_HZ[0] && rateHz <= DECODED_HZ[1] ? rateHz : PLAYED_HZ;
}

// A file's channels in one, at each of these rates.
function decoded(name, bytes, ratesHz) {
  const made = new Map([...new Set(ratesHz)].map((rateHz) => [rateHz, mixed(name, bytes.slice(0), rateHz)]));
  return Promise.all(ratesHz.map((rateHz) => made.get(rateHz)));
}

async function mixed(name, bytes, rateHz) {
  let buffer;
  try {
    buffer = await new OfflineAudioContext(1, 1, rateHz).decodeAudioData(bytes);
  } catch {
    throw new Error(`${name}: no sound that this browser can decode; take a wav, mp3, ogg, flac or m4a.`);
  }
  const sum = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    const samples = buffer.getChannelData(channel);
    for (let i = 0; i < sum.length; i++) sum[i] += samples[i] / buffer.numberOfChannels;
  }
  return sum;
}

followNight();
await openPage((about, arrays) => {
  const ofNetwork = Object.entries(arrays).filter(([name]) => name.startsWith(about.prefix));
  const network = Object.fromEntries(ofNetwork.map(([name, array]) => [name.slice(about.prefix.length), array]));
  new TalkPage(about, arrays, network);
});
