// A glb that speaks a sound file: the network in this page, the head by three.js.
import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { Face, framesOf } from "./face.js";

const FIELD_OF_VIEW_DEG = 22;
const given = new URLSearchParams(location.search);
const $ = (id) => document.getElementById(id);

const [told, head] = await Promise.all([
  fetch(given.get("network") ?? "/data/talk.json").then((answer) => answer.json()),
  new GLTFLoader().loadAsync(given.get("head") ?? "../../face/neutral.glb"),
]);
const face = new Face(head.scene, told.names);
const rest = new Float32Array(told.names.length);
const renderer = new THREE.WebGLRenderer({ antialias: true, alpha: true });
const scene = new THREE.Scene().add(head.scene, new THREE.HemisphereLight(0xffffff, 0x888078, 2));
const light = new THREE.DirectionalLight(0xffffff, 2);
light.position.set(1, 2, 3);
scene.add(light);

// What moves fills the view.
const camera = new THREE.PerspectiveCamera(FIELD_OF_VIEW_DEG, 1, 0.01, 100);
const box = new THREE.Box3();
for (const mesh of face.meshes) box.expandByObject(mesh);
const [centre, size] = [box.getCenter(new THREE.Vector3()), box.getSize(new THREE.Vector3())];
camera.position.copy(centre);
camera.position.z = box.max.z + (0.6 * size.y) / Math.tan((FIELD_OF_VIEW_DEG / 360) * Math.PI);
camera.lookAt(centre);

function fit() {
  camera.aspect = innerWidth / innerHeight;
  camera.updateProjectionMatrix();
  renderer.setSize(innerWidth, innerHeight);
}
addEventListener("resize", fit);
fit();
document.body.append(renderer.domElement);

let spoken = null; // {frames, context, began}, began: s of the context's time
renderer.setAnimationLoop(() => {
  const time = spoken ? spoken.context.currentTime - spoken.began : 0;
  face.pose(spoken?.frames[Math.floor(time * told.network.fps)]?.values ?? rest);
  renderer.render(scene, camera);
});

$("file").addEventListener("change", async ({ target }) => {
  const bytes = await target.files[0].arrayBuffer();
  spoken?.context.close();
  const context = new AudioContext({ sampleRate: told.network.rateHz }); // what it decodes has this rate
  const source = new AudioBufferSourceNode(context, { buffer: await context.decodeAudioData(bytes) });
  const frames = await framesOf(told, source.buffer.getChannelData(0));
  source.connect(context.destination);
  source.addEventListener("ended", () => ($("state").value = "ready"));
  source.start();
  spoken = { frames, context, began: context.currentTime };
  $("state").value = "speaking";
});
$("state").value = "ready";
