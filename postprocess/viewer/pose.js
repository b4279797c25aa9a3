// A slider for each blendshape.
import { $, element } from "./dom.js";

const OPPOSED = new Set(["JawLeft", "JawRight", "MouthLeft", "MouthRight"]); // directions, not sides

function mirrorOf(name) {
  if (OPPOSED.has(name)) return null;
  if (name.endsWith("Left")) return name.replace(/Left$/, "Right");
  return name.endsWith("Right") ? name.replace(/Right$/, "Left") : null;
}

export class PoseSliders {
  constructor(showing, changed) {
    Object.assign(this, { showing, changed });
    this.coefficients = new Float32Array(showing.names.length);
    this.sliders = new Map();
    const list = $("sliders");
    for (const { title, names } of showing.groups) {
      list.append(element("fieldset", {}, element("legend", {}, title), ...names.map((name) => this.row(name))));
    }
    $("reset").addEventListener("click", () => this.take(new Float32Array(showing.names.length)));
  }

  row(name) {
    const slider = element("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0, ariaLabel: name });
    const number = element("output", { className: "number" }, "0.00");
    slider.disabled = !this.showing.shapes.includes(name);
    slider.addEventListener("input", () => this.move(name, Number(slider.value)));
    slider.addEventListener("dblclick", () => this.move(name, 0));
    this.sliders.set(name, { slider, number });
    const title = slider.disabled ? "this head has no such shape" : "";
    return element("div", { className: "slider", title }, element("span", {}, name), slider, number);
  }

  move(name, value) {
    this.put(name, value);
    const other = $("mirror").checked && mirrorOf(name);
    if (other) this.put(other, value);
    this.changed();
  }

  take(coefficients) {
    for (const [name, index] of this.showing.order) this.put(name, coefficients[index]);
    this.changed();
  }

  put(name, value) {
    this.coefficients[this.showing.order.get(name)] = value;
    const { slider, number } = this.sliders.get(name);
    slider.value = value;
    slider.style.setProperty("--part", Math.max(0, Math.min(1, value)));
    number.textContent = value.toFixed(2);
    number.classList.toggle("soft", Math.abs(value) < 0.005);
  }
}
