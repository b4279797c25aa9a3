// The page put together: what was given, what is chosen, and who is told when it changes.
const FONT = 'system-ui, -apple-system, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", sans-serif';

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function sample(line) {
  return element("i", { className: `sample line-${line}` });
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// The curves, which of them are chosen, and what follows from them; `told` is called after a change.
class Clip {
  constructor(about, arrays, told) {
    Object.assign(this, about, { told });
    this.peaks = arrays.peaks;
    const predictions = about.takes.map((_, index) => index).filter((index) => index !== about.target);
    this.takes = about.takes.map((take, index) => ({
      ...take,
      curves: arrays[`curves_${index}`],
      line: index === about.target ? "target" : String(1 + (predictions.indexOf(index) % 4)),
    }));
    this.compare(predictions[0]);
  }

  compare(index) {
    this.compared = index;
    this.errors = new Map();
    if (this.target === null) {
      this.ranked = [];
      return;
    }
    const shared = this.takes[index].channels.filter((name) => this.takes[this.target].channels.includes(name));
    for (const name of shared) {
      const [ours, theirs] = [this.curve(index, name), this.curve(this.target, name)];
      this.errors.set(name, ours.slice(0, Math.min(ours.length, theirs.length)).map((value, i) => Math.abs(value - theirs[i])));
    }
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
    this.ranked = shared.map((name) => ({ name, error: mean(this.errors.get(name)) })).sort((a, b) => b.error - a.error);
    this.largestError = Math.max(0, ...shared.map((name) => this.errors.get(name).reduce((a, b) => Math.max(a, b), 0)));
  }

  curve(index, name) {
    const { channels, curves, frames } = this.takes[index];
    const place = channels.indexOf(name);
    return curves.subarray(place * frames, (place + 1) * frames);
  }

  // A take shorter than the clip holds its last frame.
  value(index, name, frame) {
    return this.curve(index, name)[Math.min(frame, this.takes[index].frames - 1)];
  }

  error(name) {
    return this.errors.get(name);
  }

  // A take's coefficients at a time, one for each of `names`, on straight lines between frames.
  coefficients(index, time) {
    const { channels, curves, frames } = this.takes[index];
    const place = Math.max(0, Math.min(time * this.fps + 1e-6, frames - 1));
    const [before, weight] = [Math.floor(place), place % 1 < 1e-4 ? 0 : place % 1];
    const after = Math.min(before + 1, frames - 1);
    const values = new Float32Array(this.names.length);
    channels.forEach((name, row) => {
      const from = row * frames;
      values[this.order.get(name)] = curves[from + before] * (1 - weight) + curves[from + after] * weight;
    });
    return values;
  }

  get order() {
    return (this.places ??= new Map(this.names.map((name, index) => [name, index])));
  }

  // Standard deviation in the first take that has the channel.
  swing(name) {
    const [{ index }] = clip_takes(this, name);
    const values = this.curve(index, name);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  }

  liveliest(count) {
    const present = this.names.filter((name) => clip_takes(this, name).length);
    return present.sort((a, b) => this.swing(b) - this.swing(a)).slice(0, count);
  }

  // One scale for all curves that are drawn, so that their heights compare.
  get span() {
    let [low, high] = [0, 0.1];
    for (const name of this.shown) {
      for (const { index } of clip_takes(this, name)) {
        for (const value of this.curve(index, name)) [low, high] = [Math.min(low, value), Math.max(high, value)];
      }
    }
    return [low, high];
  }

  toggle(name) {
    this.choose(this.shown.includes(name) ? this.shown.filter((other) => other !== name) : [...this.shown, name]);
  }

  choose(names) {
    this.shown = this.names.filter((name) => names.includes(name));
    this.told();
  }
}

const $ = (id) => document.getElementById(id);

class Page {
  constructor(about, arrays) {
    this.dirty = true;
    this.posing = false;
    const changed = () => (this.dirty = true);
    this.clip = new Clip(about, arrays, () => this.rebuild());
    this.clip.scrub = (frame) => this.seek(frame);
    this.clock = new Clock(arrays.sound, about);
    this.timeline = new Timeline(this.clip, this.clock, changed);
    this.channels = new ChannelList(this.clip);
    this.pose = new PoseSliders(this.clip, changed);
    this.caption = new Caption($("caption"), about.words);
    this.stage = new Stage($("heads"), $("labels"), new Mesh(arrays, about.names), changed);
    this.write(about);
    this.listen();
    this.showHeads();
    this.rebuild();
    requestAnimationFrame((now) => this.tick(now));
  }

  write({ fps, frames, takes }) {
    const count = takes.length > 1 ? `${takes.length} takes · ` : "";
    $("summary").textContent = `${count}${(frames / fps).toFixed(1)} s · ${Number(fps.toFixed(2))} frames a second`;
    $("scrub").max = frames - 1;
    $("speed").replaceChildren(...SPEEDS.map((speed) => element("option", { value: speed, selected: speed === 1 }, `${speed} ×`)));
    const several = this.clip.target !== null && takes.length > 2;
    $("legend").replaceChildren(...this.clip.takes.map((take, index) => {
      if (!several || index === this.clip.target) return element("span", { className: "key" }, sample(take.line), take.label);
      const button = element("button", { className: "key plain", title: `Error of ${take.label}` }, sample(take.line), take.label);
      button.addEventListener("click", () => {
        this.clip.compare(index);
        this.rebuild();
      });
      button.dataset.take = index;
      return button;
    }));
  }

  // After other channels were chosen, or another take compared.
  rebuild() {
    this.timeline.build();
    this.channels.update();
    for (const button of $("legend").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", Number(button.dataset.take) === this.clip.compared);
    }
    this.dirty = true;
  }

  showHeads() {
    this.stage.show(this.posing ? [{ label: "pose" }] : this.clip.takes);
  }

  tick(now) {
    requestAnimationFrame((next) => this.tick(next));
    this.stage.pace(this.clock.playing ? now - (this.ticked ?? now) || 1 : 0);
    this.ticked = this.clock.playing ? now : undefined;
    if (this.clock.playing) {
      this.clock.tick(now);
      this.timeline.follow();
      this.dirty = true;
    }
    if (!this.dirty) return;
    this.dirty = false;
    this.draw();
  }

  draw() {
    const { clip, clock } = this;
    const heads = this.posing ? [this.pose.coefficients] : clip.takes.map((_, index) => clip.coefficients(index, clock.time));
    this.stage.draw(heads);
    this.timeline.draw();
    this.caption.draw(clock.time);
    const scrub = $("scrub");
    scrub.value = clock.frame;
    scrub.style.setProperty("--part", clock.frame / Math.max(1, clock.frames - 1));
    scrub.setAttribute("aria-valuetext", `frame ${clock.frame}, ${clock.time.toFixed(2)} seconds`);
    $("time").replaceChildren(
      element("b", {}, minutes(clock.time)),
      element("span", { className: "soft" }, ` / ${minutes(clock.duration)}`),
      element("span", { className: "soft frame" }, `frame ${clock.frame}`),
    );
    this.showPlaying();
  }

  showPlaying() {
    const state = this.clock.playing ? "pause" : "play";
    if ($("play").dataset.state === state) return;
    $("play").dataset.state = state;
    $("play").setAttribute("aria-label", state === "play" ? "Play" : "Pause");
    $("play").querySelector("use").setAttribute("href", `#icon-${state}`);
  }

  // What is touched last is seen: the clip here, a pose by its sliders.
  seek(frame) {
    this.setPosing(false);
    this.clock.seek(frame);
    this.timeline.follow();
    this.dirty = true;
  }

  step(frames) {
    this.clock.pause();
    this.seek(this.clock.frame + frames);
  }

  async toggle() {
    if (this.clock.playing) this.clock.pause();
    else {
      this.setPosing(false);
      this.dirty = true;
      await this.clock.play().catch((error) => this.say(`The sound cannot be played: ${error.message}`));
    }
    this.dirty = true;
  }

  say(line) {
    $("trouble").textContent = line;
    $("trouble").hidden = false;
  }

  setSpeed(speed) {
    this.clock.speed = speed;
    $("speed").value = speed;
  }

  faster(steps) {
    const place = SPEEDS.indexOf(this.clock.speed) + steps;
    this.setSpeed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, place))]);
  }

  setPosing(posing) {
    if (this.posing === posing) return;
    if (posing) this.clock.pause();
    this.posing = posing;
    document.body.classList.toggle("posing", posing);
    for (const [name, chosen] of [["curves", !posing], ["pose", posing]]) {
      $(`tab-${name}`).setAttribute("aria-selected", chosen);
      $(`tab-${name}`).tabIndex = chosen ? 0 : -1;
      $(`panel-${name}`).hidden = !chosen;
    }
    this.showHeads();
    this.timeline.redraw();
  }

  setLoop(loop) {
    this.clock.range = loop ? [this.timeline.from, this.timeline.to] : null;
    $("loop").setAttribute("aria-pressed", loop);
  }

  setMute(mute) {
    this.clock.audio.muted = mute;
    $("mute").setAttribute("aria-pressed", mute);
  }

  listen() {
    const pressed = (id, act) => $(id).addEventListener("click", act);
    pressed("play", () => this.toggle());
    pressed("back", () => this.step(-1));
    pressed("on", () => this.step(1));
    pressed("loop", () => this.setLoop(!this.clock.range));
    pressed("mute", () => this.setMute(!this.clock.audio.muted));
    pressed("closer", () => this.timeline.zoom(1.6));
    pressed("wider", () => this.timeline.zoom(1 / 1.6));
    pressed("whole", () => this.timeline.look(0, this.clock.duration));
    pressed("help", () => $("keys").showModal());
    pressed("theme", () => this.switchTheme());
    pressed("tab-curves", () => this.setPosing(false));
    pressed("tab-pose", () => this.setPosing(true));
    pressed("copy", () => this.pose.take(this.clip.coefficients(this.clip.takes.length - 1, this.clock.time)));
    $("scrub").addEventListener("input", () => this.seek(Number($("scrub").value)));
    $("speed").addEventListener("change", () => this.setSpeed(Number($("speed").value)));
    $("tabs").addEventListener("keydown", (event) => this.tabKey(event));
    this.clock.audio.addEventListener("ended", () => (this.dirty = true));
    this.clock.audio.addEventListener("error", () => this.say("This browser cannot play the page's sound (FLAC)."));
    document.addEventListener("keydown", (event) => this.key(event));
    // A button that was clicked shall not take the next press of the space bar.
    document.addEventListener("click", (event) => event.detail && event.target.closest("button:not([role=tab])")?.blur());
    followTheme(() => this.timeline.redraw());
  }

  switchTheme() {
    setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    this.timeline.redraw();
  }

  tabKey(event) {
    if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    this.setPosing(!this.posing);
    $(this.posing ? "tab-pose" : "tab-curves").focus();
  }

  key(event) {
    const at = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
    if (at.matches("input[type=search], select") || (at.matches("#sliders input") && /^(Arrow|Home|End|Page)/.test(event.key))) return;
    const act = event.shiftKey && event.key.startsWith("Arrow") ? this.turning[event.key] : this.keys[event.key] ?? this.keys[event.key.toLowerCase()];
    if (!act || (event.key === " " && at.closest("button, summary, input[type=checkbox]"))) return;
    event.preventDefault();
    act();
    this.dirty = true;
  }

  get turning() {
    const turn = (yaw, pitch) => () => this.stage.turn(yaw, pitch);
    return { ArrowLeft: turn(-0.15, 0), ArrowRight: turn(0.15, 0), ArrowUp: turn(0, -0.1), ArrowDown: turn(0, 0.1) };
  }

  get keys() {
    const second = Math.round(this.clock.fps);
    return {
      " ": () => this.toggle(),
      ",": () => this.step(-1),
      ".": () => this.step(1),
      ArrowLeft: () => this.seek(this.clock.frame - second),
      ArrowRight: () => this.seek(this.clock.frame + second),
      Home: () => this.seek(0),
      End: () => this.seek(this.clock.frames - 1),
      "[": () => this.faster(-1),
      "]": () => this.faster(1),
      l: () => this.setLoop(!this.clock.range),
      m: () => this.setMute(!this.clock.audio.muted),
      p: () => this.setPosing(!this.posing),
      d: () => this.switchTheme(),
      "+": () => this.timeline.zoom(1.6),
      "=": () => this.timeline.zoom(1.6),
      "-": () => this.timeline.zoom(1 / 1.6),
      0: () => this.timeline.look(0, this.clock.duration),
      "?": () => $("keys").showModal(),
    };
  }
}

function minutes(time) {
  const seconds = time % 60;
  return `${Math.floor(time / 60)}:${seconds < 9.995 ? "0" : ""}${seconds.toFixed(2)}`;
}

// The system's theme, until the person chooses one.
const darkSystem = matchMedia("(prefers-color-scheme: dark)");

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
}

function followTheme(told) {
  darkSystem.addEventListener("change", () => {
    setTheme(darkSystem.matches ? "dark" : "light");
    told();
  });
}

setTheme(darkSystem.matches ? "dark" : "light");
const about = JSON.parse($("about").textContent);
try {
  new Page(about, await unpacked($("block").textContent, about.arrays));
} catch (error) {
  $("trouble").textContent = `${error.message} Open the page in a current Chrome, Edge, Firefox or Safari.`;
  $("trouble").hidden = false;
  throw error;
}
