// The page put together: what is chosen, and who is told when it changes.
import { ChannelList } from "./channels.js";
import { Clock, SPEEDS } from "./clock.js";
import { $, element, openPage, sample, trouble } from "./dom.js";
import { Mesh } from "./head.js";
import { PoseSliders } from "./pose.js";
import { Showing } from "./showing.js";
import { Caption, Stage } from "./stage.js";
import { Timeline } from "./timeline.js";

class Page {
  constructor(about, arrays) {
    this.dirty = true;
    this.posing = false;
    const changed = () => (this.dirty = true);
    this.showing = new Showing(about, arrays, () => this.rebuild());
    this.showing.scrub = (frame) => this.seek(frame);
    this.clock = new Clock(arrays.sound, about);
    this.timeline = new Timeline(this.showing, this.clock, changed);
    this.channels = new ChannelList(this.showing);
    this.pose = new PoseSliders(this.showing, changed);
    this.caption = new Caption($("caption"), about.words);
    this.stage = new Stage($("heads"), $("labels"), new Mesh(arrays, about.names), about.studio, changed);
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
    $("speed").replaceChildren(
      ...SPEEDS.map((speed) => element("option", { value: speed, selected: speed === 1 }, `${speed} ×`)),
    );
    const several = this.showing.target !== null && takes.length > 2;
    $("legend").replaceChildren(
      ...this.showing.takes.map((take, index) => {
        if (!several || index === this.showing.target)
          return element("span", { className: "key" }, sample(take.line), take.label);
        const button = element(
          "button",
          { className: "key plain", title: `Error of ${take.label}` },
          sample(take.line),
          take.label,
        );
        button.addEventListener("click", () => {
          this.showing.compare(index);
          this.rebuild();
        });
        button.dataset.take = index;
        return button;
      }),
    );
  }

  // After other channels were chosen, or another take compared.
  rebuild() {
    this.timeline.build();
    this.channels.update();
    for (const button of $("legend").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", Number(button.dataset.take) === this.showing.compared);
    }
    this.dirty = true;
  }

  showHeads() {
    this.stage.show(this.posing ? [{ label: "pose" }] : this.showing.takes);
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
    const { showing, clock } = this;
    const heads = this.posing
      ? [{ coefficients: this.pose.coefficients, turn: [0, 0, 0] }]
      : showing.takes.map((_, index) => ({
          coefficients: showing.coefficients(index, clock.time),
          turn: showing.turn(index, clock.time),
        }));
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
      await this.clock.play().catch((error) => trouble(`The sound cannot be played: ${error.message}`));
    }
    this.dirty = true;
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
    for (const [name, chosen] of [
      ["curves", !posing],
      ["pose", posing],
    ]) {
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
    pressed("copy", () => this.pose.take(this.showing.coefficients(this.showing.takes.length - 1, this.clock.time)));
    $("scrub").addEventListener("input", () => this.seek(Number($("scrub").value)));
    $("speed").addEventListener("change", () => this.setSpeed(Number($("speed").value)));
    $("tabs").addEventListener("keydown", (event) => this.tabKey(event));
    this.clock.audio.addEventListener("ended", () => (this.dirty = true));
    this.clock.audio.addEventListener("error", () => trouble("This browser cannot play the page's sound (FLAC)."));
    document.addEventListener("keydown", (event) => this.key(event));
    // A button that was clicked shall not take the next press of the space bar.
    document.addEventListener(
      "click",
      (event) => event.detail && event.target.closest("button:not([role=tab])")?.blur(),
    );
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
    if (
      at.matches("input[type=search], select") ||
      (at.matches("#sliders input") && /^(Arrow|Home|End|Page)/.test(event.key))
    )
      return;
    const act =
      event.shiftKey && event.key.startsWith("Arrow")
        ? this.turning[event.key]
        : (this.keys[event.key] ?? this.keys[event.key.toLowerCase()]);
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
await openPage((about, arrays) => new Page(about, arrays));
