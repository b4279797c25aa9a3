// The head's mesh and its poses: vertices moved by blendshapes, and normals that follow.
import { facing, multiplied, normalised, orthographic, perspective, turned, turnedHead } from "./matrix.js";
import { FRAGMENT, LIGHT_FRAGMENT, LIGHT_VERTEX, VERTEX } from "./shaders.js";

export class Mesh {
  constructor(arrays, names) {
    Object.assign(this, {
      rest: arrays.positions,
      colours: arrays.colours,
      roughness: arrays.roughness,
      triangles: arrays.triangles,
      seams: arrays.seams,
    });
    this.shapes = names.map((name) =>
      arrays[`moved_${name}`]
        ? { moved: arrays[`moved_${name}`], offset: arrays[`offset_${name}`], step: arrays[`step_${name}`][0] }
        : null,
    );
    this.low = [...arrays.frame.slice(0, 3)]; // what is shown: the head, of a body the part around its face
    this.high = [...arrays.frame.slice(3)];
    this.neck = [...arrays.neck];
  }

  // How far its farthest vertex is from a place.
  reach([x, y, z]) {
    let found = 0;
    for (let i = 0; i < this.rest.length; i += 3) {
      found = Math.max(found, Math.hypot(this.rest[i] - x, this.rest[i + 1] - y, this.rest[i + 2] - z));
    }
    return found;
  }
}

export class Pose {
  constructor(mesh) {
    this.mesh = mesh;
    this.positions = new Float32Array(mesh.rest.length);
    this.normals = new Float32Array(mesh.rest.length);
    this.turn = [0, 0, 0]; // of the head: yaw, pitch, roll
  }

  // coefficients: one a blendshape, in the order of the mesh's shapes.
  set(coefficients) {
    this.positions.set(this.mesh.rest);
    this.mesh.shapes.forEach((shape, index) => {
      if (shape && Math.abs(coefficients[index]) > 1e-5) this.add(shape, coefficients[index] * shape.step);
    });
    this.shade();
  }

  add({ moved, offset }, scale) {
    const positions = this.positions;
    for (let i = 0, from = 0; i < moved.length; i++, from += 3) {
      const to = 3 * moved[i];
      positions[to] += scale * offset[from];
      positions[to + 1] += scale * offset[from + 1];
      positions[to + 2] += scale * offset[from + 2];
    }
  }

  // Vertex normals, faces weighted by area; vertices on a seam share theirs.
  shade() {
    const { positions: p, normals: n } = this;
    const { triangles, seams } = this.mesh;
    n.fill(0);
    for (let t = 0; t < triangles.length; t += 3) {
      const [a, b, c] = [3 * triangles[t], 3 * triangles[t + 1], 3 * triangles[t + 2]];
      const [ux, uy, uz] = [p[b] - p[a], p[b + 1] - p[a + 1], p[b + 2] - p[a + 2]];
      const [vx, vy, vz] = [p[c] - p[a], p[c + 1] - p[a + 1], p[c + 2] - p[a + 2]];
      const [x, y, z] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
      for (let corner = 0; corner < 3; corner++) {
        const to = 3 * seams[triangles[t + corner]];
        n[to] += x;
        n[to + 1] += y;
        n[to + 2] += z;
      }
    }
    for (let v = 0; v < seams.length; v++) {
      const [to, from] = [3 * v, 3 * seams[v]]; // from ≤ to: done before
      const length = from === to ? Math.hypot(n[to], n[to + 1], n[to + 2]) || 1 : 1;
      for (let axis = 0; axis < 3; axis++) n[to + axis] = n[from + axis] / length;
    }
  }
}

const SHADE_TEXELS = 1024;
const NECK = 0.13; // of the head's height, at its foot, may lie below the cell

// Draws poses of one mesh into cells of a canvas, with the studio's camera and lights.
export class Painter {
  constructor(canvas, mesh, studio) {
    const gl = canvas.getContext("webgl2", { antialias: true, alpha: true, premultipliedAlpha: true });
    if (!gl) throw new Error("This browser has no WebGL 2, so the heads cannot be drawn.");
    Object.assign(this, { gl, mesh });
    this.angle = (studio.fieldOfViewDeg * Math.PI) / 180;
    this.towardsKey = normalised(studio.lights.key.direction);
    this.centre = [0, 1, 2].map((axis) => (mesh.low[axis] + mesh.high[axis]) / 2);
    this.centre[1] += (NECK / 2) * (mesh.high[1] - mesh.low[1]);
    this.radius = 0.52 * Math.hypot(...[0, 1, 2].map((axis) => mesh.high[axis] - mesh.low[axis]));
    this.deep = Math.max(2 * this.radius, mesh.reach(this.centre));
    this.shadow = this.program(LIGHT_VERTEX, LIGHT_FRAGMENT);
    this.skin = this.program(VERTEX, FRAGMENT);
    this.light(studio);
    this.upload();
    this.makeShade();
    gl.enable(gl.DEPTH_TEST);
    gl.polygonOffset(1, 0); // what is edge-on goes back by a pixel of its slope, or the mouth's walls show through skin
  }

  program(vertex, fragment) {
    const gl = this.gl;
    const program = gl.createProgram();
    for (const [kind, text] of [
      [gl.VERTEX_SHADER, vertex],
      [gl.FRAGMENT_SHADER, fragment],
    ]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new Error(
        `shader: ${gl
          .getAttachedShaders(program)
          .map((s) => gl.getShaderInfoLog(s))
          .join(" ")}`,
      );
    }
    const count = gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS);
    const names = Array.from({ length: count }, (_, i) => gl.getActiveUniform(program, i).name);
    return { program, places: Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(program, name)])) };
  }

  light({ lights, ambient }) {
    const { gl } = this;
    const { program, places } = this.skin;
    gl.useProgram(program);
    for (const [name, { direction, colour }] of Object.entries(lights)) {
      gl.uniform3fv(places[name], colour);
      gl.uniform3fv(places[`${name}Direction`], normalised(direction));
    }
    gl.uniform3fv(places.above, ambient.above);
    gl.uniform3fv(places.below, ambient.below);
  }

  upload() {
    const { gl, mesh } = this;
    gl.bindVertexArray(gl.createVertexArray());
    this.positions = this.attribute(0, null, 3, gl.FLOAT);
    this.normals = this.attribute(1, null, 3, gl.FLOAT);
    this.attribute(2, mesh.colours, 3, gl.UNSIGNED_BYTE);
    this.attribute(3, mesh.roughness, 1, gl.UNSIGNED_BYTE);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, mesh.triangles, gl.STATIC_DRAW);
    this.index = mesh.triangles instanceof Uint16Array ? gl.UNSIGNED_SHORT : gl.UNSIGNED_INT;
  }

  attribute(place, values, size, type) {
    const gl = this.gl;
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    if (values) gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, type, type !== gl.FLOAT, 0, 0);
    return buffer;
  }

  makeShade() {
    const gl = this.gl;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.DEPTH_COMPONENT24, SHADE_TEXELS, SHADE_TEXELS);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_COMPARE_MODE, gl.COMPARE_REF_TO_TEXTURE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    this.shadeBuffer = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.shadeBuffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.TEXTURE_2D, texture, 0);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  }

  begin() {
    const gl = this.gl;
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  }

  // cell: [left, bottom, width, height] in pixels, `margin` of them kept free above; camera: {yaw, pitch, zoom}.
  draw(pose, [left, bottom, width, whole], margin, camera) {
    const height = whole - margin;
    const gl = this.gl;
    for (const [buffer, values] of [
      [this.positions, pose.positions],
      [this.normals, pose.normals],
    ]) {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    }
    const turn = turnedHead(pose.turn, this.mesh.neck);
    const around = multiplied(turned(camera.yaw, camera.pitch, this.centre, 0), turn);
    const toLight = multiplied(multiplied(orthographic(this.radius), facing(this.towardsKey)), around);
    this.drawShade(toLight);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(left, bottom, width, whole);
    gl.viewport(left, bottom - height / 2, width, 2 * height); // a head that is near fills the margin too
    gl.useProgram(this.skin.program);
    const away = this.distance(width / height) / camera.zoom;
    const places = this.skin.places;
    gl.uniformMatrix4fv(places.toLight, false, toLight);
    gl.uniformMatrix4fv(places.view, false, multiplied(turned(camera.yaw, camera.pitch, this.centre, away), turn));
    const near = Math.max(0.01, away - this.deep);
    gl.uniformMatrix4fv(
      places.projection,
      false,
      perspective(2 * Math.atan(2 * Math.tan(this.angle / 2)), width / (2 * height), near, away + this.deep),
    );
    gl.uniform1f(places.texel, 1 / SHADE_TEXELS);
    gl.enable(gl.POLYGON_OFFSET_FILL);
    gl.drawElements(gl.TRIANGLES, this.mesh.triangles.length, this.index, 0);
    gl.disable(gl.POLYGON_OFFSET_FILL);
    gl.disable(gl.SCISSOR_TEST);
  }

  drawShade(toLight) {
    const gl = this.gl;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.shadeBuffer);
    gl.viewport(0, 0, SHADE_TEXELS, SHADE_TEXELS);
    gl.clear(gl.DEPTH_BUFFER_BIT);
    gl.useProgram(this.shadow.program);
    gl.uniformMatrix4fv(this.shadow.places.toLight, false, toLight);
    gl.drawElements(gl.TRIANGLES, this.mesh.triangles.length, this.index, 0);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  }

  // From which all that is to be shown is seen, upright or wide as the cell may be.
  distance(aspect) {
    const [width, height, depth] = [0, 1, 2].map((axis) => this.mesh.high[axis] - this.mesh.low[axis]);
    const half = Math.tan(this.angle / 2);
    return Math.max(((1 - NECK) * height) / 2 / half, Math.max(width, depth) / 2 / half / aspect) * 1.03 + depth / 4;
  }
}
