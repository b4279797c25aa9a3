// Our curves on a three.js model that has ARKit's morph targets; nothing here needs a page.
import { unpacked } from "../../viewer/bundle.js";
import { Talk } from "../../viewer/talk.js";

// told: what scripts/export_page.py wrote as JSON; sound: a Float32Array in [-1, 1] at told.network.rateHz → its frames,
// [{time in s, values}], as Talk.push has them. A live sound: keep the Talk, push what comes, take what it tells.
export async function framesOf(told, sound) {
  const talk = new Talk(told.network, await unpacked(told.block, told.arrays));
  return [...talk.push(sound), ...talk.flush()];
}

export class Face {
  // root: as GLTFLoader gives it; names: of the coefficients, such as JawOpen. jawOpen and face.jawOpen are JawOpen too.
  constructor(root, names) {
    this.meshes = []; // that move
    this.moved = []; // [influences, place in them, place in names]
    const places = new Map(names.map((name, place) => [name.toLowerCase(), place]));
    root.traverse((mesh) => {
      const shapes = Object.entries(mesh.morphTargetDictionary ?? {});
      const moved = shapes.map(([shape, place]) => [
        mesh.morphTargetInfluences,
        place,
        places.get(shape.split(".").at(-1).toLowerCase()),
      ]);
      const known = moved.filter(([, , from]) => from !== undefined);
      if (known.length) this.meshes.push(mesh);
      this.moved.push(...known);
    });
  }

  // values: a coefficient for each name.
  pose(values) {
    for (const [influences, place, from] of this.moved) influences[place] = Math.min(1, Math.max(0, values[from]));
  }
}
