/** The browser's side of it: a context, the modules that its audio thread loads, and the permission to sound. */
import stretcherSource from "./stretcher.js?source";
import workletSource from "./worklet.js?source";

/** Milliseconds that the browser may take to let the page sound. */
const PATIENCE = 3000;

const INSECURE =
  "The browser lets a page process sound only over https or on localhost. Open this page by such an address, for instance through an SSH tunnel to localhost.";
const NO_OUTPUT = "The browser could not open an audio output. Check that the computer has one, then reload the page.";
const HELD_BACK = "The browser lets a page sound only after a click in it. Press play once more.";

/** A fault of the browser's; its message is a sentence for a person. */
export class SoundError extends Error {}

/** @param {number} sampleRate @returns {AudioContext} */
export function openContext(sampleRate) {
  if (typeof AudioContext === "undefined" || typeof AudioWorkletNode === "undefined") throw new SoundError(INSECURE);
  try {
    const context = new AudioContext({ sampleRate, latencyHint: "interactive" });
    if (context.state === "running") context.suspend().catch(() => {});
    return context;
  } catch {
    throw new SoundError(NO_OUTPUT);
  }
}

/** @type {WeakMap<BaseAudioContext, Map<string, Promise<void>>>} A module can be loaded once in a context. */
const loaded = new WeakMap();

/** @param {BaseAudioContext} context @param {string} source */
function load(context, source) {
  const modules = loaded.get(context) ?? new Map();
  loaded.set(context, modules);
  if (!modules.has(source)) {
    const adding = add(context, source);
    modules.set(source, adding);
    adding.catch(() => modules.delete(source));
  }
  return modules.get(source);
}

/** @param {BaseAudioContext} context @param {string} source */
async function add(context, source) {
  if (!context.audioWorklet) throw new SoundError(INSECURE);
  // A page opened from a file may not load its own blobs.
  const fromFile = location.protocol === "file:";
  const url = fromFile
    ? `data:text/javascript;charset=utf-8,${encodeURIComponent(source)}`
    : URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    await context.audioWorklet.addModule(url);
  } finally {
    if (!fromFile) URL.revokeObjectURL(url);
  }
}

/** @param {BaseAudioContext} context @param {import("./protocol.js").Options} processorOptions */
export async function makeNode(context, processorOptions) {
  await load(context, workletSource);
  const node = new AudioWorkletNode(context, "sf-player", { numberOfInputs: 0, outputChannelCount: [2], processorOptions });
  node.connect(context.destination);
  return node;
}

/** @param {BaseAudioContext} context */
export function loadStretcher(context) {
  return load(context, stretcherSource);
}

/** Let a context sound; to be called while the person's click is being handled. @param {BaseAudioContext} context */
export async function wake(context) {
  if (!(context instanceof AudioContext)) return;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new SoundError(HELD_BACK)), PATIENCE);
  });
  try {
    await Promise.race([context.resume(), late]);
  } finally {
    clearTimeout(timer);
  }
}
