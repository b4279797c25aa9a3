// The sound, its words, the curves and the errors over one axis of time, and the playhead through them all.
import { $, colour, element, font } from "./dom.js";

const FIRST_ROWS = 12; // of the error strips, before the others are asked for
const CLOSEST_S = 0.4;
const STRIP_TOP = [0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10]; // of which the scale of errors is one

export class Timeline {
  constructor(showing, clock, changed) {
    Object.assign(this, { showing, clock, changed, from: 0, to: clock.duration, all: false });
    this.rows = $("rows");
    this.playhead = $("playhead");
    this.wave = $("wave");
    this.ruler = $("ruler");
    this.lanes = $("lanes");
    this.strips = $("strips");
    this.readings = []; // [{channel, place}]: the numbers that follow the playhead
    this.stale = true;
    this.scrubbing = this.listen();
    new ResizeObserver(() => this.redraw()).observe(this.rows);
    $("more").addEventListener("click", () => {
      this.all = !this.all;
      this.build();
    });
  }

  redraw() {
    this.stale = true;
    this.changed();
  }

  // Makes the rows anew: after other channels were chosen, or another take compared.
  build() {
    const { showing } = this;
    this.readings = [];
    this.lanes.replaceChildren(...showing.shown.map((name) => this.lane(name)));
    const errors = $("errors");
    errors.hidden = showing.target === null;
    if (!errors.hidden) this.buildStrips();
    this.redraw();
  }

  lane(name) {
    const readings = element("span", { className: "readings number" });
    this.showing.takesWith(name).forEach(({ take, index }) => {
      const place = element("span", { className: `value line-${take.line}` });
      readings.append(place);
      this.readings.push({ index, name, place });
    });
    const remove = element(
      "button",
      { className: "remove", ariaLabel: `Take ${name} away`, title: `Take ${name} away` },
      "×",
    );
    remove.addEventListener("click", () => this.showing.toggle(name));
    const canvas = element("canvas", {});
    canvas.dataset.channel = name;
    const label = element(
      "div",
      { className: "name" },
      element("span", { className: "title" }, name),
      readings,
      remove,
    );
    return element("div", { className: "row lane" }, label, canvas);
  }

  buildStrips() {
    const { showing } = this;
    const ranked = showing.ranked;
    const rows = this.all ? ranked : ranked.slice(0, FIRST_ROWS);
    this.strips.replaceChildren(
      ...rows.map(({ name, error }) => {
        const button = element("button", { className: "title", title: `Curve of ${name}` }, name);
        button.setAttribute("aria-pressed", showing.shown.includes(name));
        button.addEventListener("click", () => showing.toggle(name));
        const canvas = element("canvas", {});
        canvas.dataset.strip = name;
        const label = element(
          "div",
          { className: "name" },
          button,
          element("span", { className: "number soft" }, error.toFixed(3)),
        );
        return element("div", { className: "row strip" }, label, canvas);
      }),
    );
    const more = $("more");
    more.hidden = ranked.length <= FIRST_ROWS;
    more.textContent = this.all ? "Only the largest" : `All ${ranked.length} channels`;
    this.top = STRIP_TOP.find((top) => top >= showing.largestError * 0.7) ?? showing.largestError;
    const gradient = element("i", { className: "gradient" });
    $("scale").replaceChildren("0", gradient, `${this.top}`);
    $("error-of").textContent =
      `|${showing.takes[showing.compared].label} − ${showing.takes[showing.target].label}|, means beside the names`;
  }

  // Where the plots lie in the rows, px.
  get plot() {
    const [wave, rows] = [this.wave.getBoundingClientRect(), this.rows.getBoundingClientRect()];
    return { left: wave.left - rows.left, width: wave.width };
  }

  look(from, to) {
    const length = Math.min(this.clock.duration, Math.max(CLOSEST_S, to - from));
    this.from = Math.max(0, Math.min(from, this.clock.duration - length));
    this.to = this.from + length;
    if (this.clock.range) this.clock.range = [this.from, this.to];
    this.redraw();
  }

  zoom(factor, around = this.clock.time) {
    const inside = around >= this.from && around <= this.to ? around : (this.from + this.to) / 2;
    this.look(inside - (inside - this.from) / factor, inside + (this.to - inside) / factor);
  }

  follow() {
    const { time, range } = this.clock;
    if (range || (time >= this.from && time <= this.to)) return;
    const length = this.to - this.from;
    this.look(time - 0.05 * length, time + 0.95 * length);
  }

  draw() {
    if (this.stale) {
      this.stale = false;
      this.drawWave();
      this.drawRuler();
      this.drawLanes();
      this.drawStrips();
    }
    const { left, width } = this.plot;
    const place = (this.clock.time - this.from) / (this.to - this.from);
    this.playhead.style.transform = `translateX(${left + place * width}px)`;
    this.playhead.hidden = place < 0 || place > 1;
    for (const { index, name, place: text } of this.readings) {
      text.textContent = this.showing.value(index, name, this.clock.frame).toFixed(2);
    }
  }

  // A canvas cleared and sized: [context, width, height] in px of the page.
  paper(canvas) {
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    canvas.width = Math.max(1, Math.round(width * ratio));
    canvas.height = Math.max(1, Math.round(height * ratio));
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return [context, width, height];
  }

  across(time, width) {
    return ((time - this.from) / (this.to - this.from)) * width;
  }

  drawWave() {
    const [context, width, height] = this.paper(this.wave);
    const { peaks, peaksHz, words } = this.showing;
    const top = words.length ? 40 : 0;
    const middle = top + (height - top) / 2;
    const half = (height - top) / 2 - 2;
    context.fillStyle = colour("wave");
    for (let x = 0; x < width; x++) {
      const [first, last] = [x, x + 1].map((edge) =>
        Math.floor((this.from + ((this.to - this.from) * edge) / width) * peaksHz),
      );
      let [low, high] = [0, 0];
      for (let i = first; i <= Math.max(first, last - 1); i++) {
        low = Math.min(low, peaks[2 * i] ?? 0);
        high = Math.max(high, peaks[2 * i + 1] ?? 0);
      }
      const [up, down] = [(high / 127) * half, (low / 127) * half];
      context.fillRect(x, middle - up - 0.5, 1, up - down + 1);
    }
    this.drawWords(context, width, height);
  }

  // Tokens in two rows by turns; one that would run into the one before in its row is left out.
  drawWords(context, width, height) {
    context.font = font(13);
    context.textBaseline = "middle";
    const ends = [-Infinity, -Infinity];
    this.showing.words.forEach(([text, start, end], turn) => {
      const [x, far] = [this.across(start, width), this.across(end, width)];
      if (far < 0 || x > width) return;
      context.fillStyle = colour("line");
      context.fillRect(x, 2, 1, height - 2);
      context.fillStyle = colour("faint");
      context.fillRect(x, 38, Math.max(1, far - x - 1), 2);
      if (x < ends[turn % 2]) return;
      context.fillStyle = colour("ink");
      context.fillText(text, x + 3, turn % 2 ? 28 : 11);
      ends[turn % 2] = x + 3 + context.measureText(text).width + 3;
    });
  }

  drawRuler() {
    const [context, width] = this.paper(this.ruler);
    context.font = font(11);
    context.textBaseline = "top";
    const step =
      [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300].find((s) => (s / (this.to - this.from)) * width > 46) ??
      600;
    for (let i = Math.ceil(this.from / step); i * step <= this.to; i++) {
      const x = this.across(i * step, width);
      context.fillStyle = colour("faint");
      context.fillRect(x, 0, 1, 4);
      context.fillStyle = colour("soft");
      const text = `${Number((i * step).toFixed(2))} s`;
      const half = context.measureText(text).width / 2;
      context.fillText(text, Math.max(0, Math.min(width - 2 * half, x - half)), 6);
    }
  }

  drawLanes() {
    const { showing } = this;
    const [low, high] = showing.span;
    for (const canvas of this.lanes.querySelectorAll("canvas")) {
      const name = canvas.dataset.channel;
      const [context, width, whole] = this.paper(canvas);
      const strip = showing.target !== null && showing.error(name) ? 7 : 0;
      const height = whole - strip - (strip ? 3 : 0);
      const y = (value) => height - 3 - ((value - low) / (high - low)) * (height - 6);
      context.fillStyle = colour("line");
      context.fillRect(0, Math.round(y(0)), width, 1);
      context.fillRect(0, Math.round(y(high)), width, 1);
      for (const { take, index } of showing.takesWith(name).reverse()) {
        this.drawCurve(context, showing.curve(index, name), take.frames, width, y, take.line);
      }
      context.fillStyle = colour("soft");
      context.font = font(10);
      context.textBaseline = "top";
      context.fillText(String(Number(high.toFixed(2))), 3, y(high) + 3);
      if (strip) this.drawStrip(context, showing.error(name), width, whole - strip, strip);
    }
  }

  drawCurve(context, values, frames, width, y, line) {
    const fps = this.clock.fps;
    const first = Math.max(0, Math.floor(this.from * fps) - 1);
    const last = Math.min(frames - 1, Math.ceil(this.to * fps) + 1);
    context.beginPath();
    for (let i = first; i <= last; i++) context.lineTo(this.across(i / fps, width), y(values[i]));
    context.strokeStyle = colour(`line-${line}`);
    context.lineWidth = line === "target" ? 1.5 : 1.8;
    context.lineJoin = "round";
    context.setLineDash(line === "target" ? [4, 3] : []);
    context.stroke();
    context.setLineDash([]);
  }

  drawStrips() {
    for (const canvas of this.strips.querySelectorAll("canvas")) {
      const [context, width, height] = this.paper(canvas);
      this.drawStrip(context, this.showing.error(canvas.dataset.strip), width, 0, height);
    }
  }

  // The largest error under each column of pixels, so that none is lost between them.
  drawStrip(context, errors, width, top, height) {
    const fps = this.clock.fps;
    const heat = heatColours();
    for (let x = 0; x < width; x++) {
      const [first, last] = [x, x + 1].map((edge) =>
        Math.floor((this.from + ((this.to - this.from) * edge) / width) * fps + 1e-6),
      );
      if (first >= errors.length) break;
      let error = errors[first];
      for (let i = first + 1; i < Math.min(last, errors.length); i++) error = Math.max(error, errors[i]);
      context.fillStyle = heat[Math.round(Math.min(1, error / this.top) * (heat.length - 1))];
      context.fillRect(x, top, 1, height);
    }
  }

  listen() {
    let dragging = false;
    const put = (event) => {
      const { left, width } = this.wave.getBoundingClientRect();
      const time = this.from + ((event.clientX - left) / width) * (this.to - this.from);
      this.showing.scrub(Math.floor(Math.max(this.from, Math.min(time, this.to)) * this.clock.fps + 1e-6));
    };
    this.rows.addEventListener("pointerdown", (event) => {
      if (!(event.target instanceof HTMLCanvasElement) || event.button) return;
      dragging = true;
      if (event.pointerType === "mouse") this.rows.setPointerCapture(event.pointerId);
      put(event);
    });
    this.rows.addEventListener("pointermove", (event) => dragging && put(event));
    for (const name of ["pointerup", "pointercancel"]) this.rows.addEventListener(name, () => (dragging = false));
    this.rows.addEventListener(
      "wheel",
      (event) => {
        const { left, width } = this.wave.getBoundingClientRect();
        const length = this.to - this.from;
        if (event.ctrlKey || event.metaKey) {
          event.preventDefault();
          this.zoom(Math.exp(-event.deltaY * 0.004), this.from + ((event.clientX - left) / width) * length);
        } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) && length < this.clock.duration) {
          event.preventDefault();
          this.look(this.from + (event.deltaX / width) * length, this.to + (event.deltaX / width) * length);
        }
      },
      { passive: false },
    );
  }
}

// From the card's colour, over orange, to the ink's: told apart by lightness alone too.
let heatKnown = { theme: null, colours: [] };

function heatColours() {
  const theme = document.documentElement.dataset.theme;
  if (heatKnown.theme === theme) return heatKnown.colours;
  const stops = ["heat-0", "heat-1", "heat-2", "heat-3"].map((name) =>
    colour(name)
      .match(/\w\w/g)
      .map((h) => parseInt(h, 16)),
  );
  const colours = Array.from({ length: 64 }, (_, i) => {
    const place = (i / 63) * (stops.length - 1);
    const stop = Math.min(stops.length - 2, Math.floor(place));
    const mixed = stops[stop].map((value, c) => Math.round(value + (place - stop) * (stops[stop + 1][c] - value)));
    return `rgb(${mixed})`;
  });
  heatKnown = { theme, colours };
  return colours;
}
