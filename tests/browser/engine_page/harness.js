// What the tests of the engine do in the page: lanes that are computed, renders offline, and the engine as the page has it.
import { Engine } from "widgets/engine/engine.js";
import { channelSource, chooseSource, embeddedSource, httpSource } from "widgets/engine/sources.js";
import { gains } from "widgets/engine/law.js";
import { plan } from "widgets/engine/plan.js";
import { Channel } from "widgets/lib/channel.js";

/** Lanes by name: the left and right sample (int16) of a frame. */
const KINDS = {
  // Says which frame it is: 15 bits left, the rest right.
  frames: (frame) => [frame & 0x7fff, frame >> 15],
  negative: (frame) => [-(frame & 0x7fff), -(frame >> 15)],
  noise: (frame) => [hash(frame), hash(frame)],
  same: (frame) => [hash(frame), hash(frame)],
  opposite: (frame) => [-hash(frame), -hash(frame)],
  impulses: (frame) => (frame % 22050 === 0 ? [30000, 30000] : [0, 0]),
  pulses: (frame) => (frame % 2205 === 0 ? [30000, 30000] : [0, 0]),
  tone: (frame) => Array(2).fill(Math.round(12000 * Math.sin((2 * Math.PI * 440 * frame) / 44100))),
  steady: () => [8192, 8192],
  silence: () => [0, 0],
};

function hash(frame) {
  let x = Math.imul(frame ^ 0x9e3779b9, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return ((x ^ (x >>> 16)) & 0x3fff) - 0x2000;
}

/**
 * A source of such lanes; the part of a name before a dot says the kind. Reads fail while `fails` is true, and wait while `held` is;
 * both only from frame `from` on.
 */
function computed({ from = 0 } = {}) {
  const source = {
    fails: false,
    held: false,
    asked: 0,
    async read(lane, start, count) {
      source.asked++;
      while (source.held && start >= from) await new Promise((resolve) => setTimeout(resolve, 5));
      if (source.fails && start >= from) throw new TypeError("Failed to fetch");
      const kind = KINDS[lane.split(".")[0]];
      const out = new Int16Array(2 * count);
      for (let i = 0; i < count; i++) out.set(kind(start + i), 2 * i);
      return out;
    },
  };
  return source;
}

/** The chunks that the audio thread was given and not told to forget: what it really holds. */
const held = new Set();
const post = MessagePort.prototype.postMessage;
MessagePort.prototype.postMessage = function (message, ...rest) {
  if (message?.put) held.add(message.put.index);
  for (const index of message?.drop ?? []) held.delete(index);
  return post.call(this, message, ...rest);
};

function base64(floats) {
  const bytes = new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

/**
 * Render an engine offline; `steps` are [seconds, [[method, ...arguments], …]]. Gives every `every`th sample of both channels,
 * the time before each step, and the most that was held.
 */
async function render({ lanes, seconds, track, steps, rate = 44100, beats, downbeats, every = 1 }) {
  held.clear();
  const context = new OfflineAudioContext(2, Math.round(seconds * rate), rate);
  const engine = new Engine({ lanes, sampleRate: rate, frames: Math.round(track * rate), source: computed(), beats, downbeats, context });
  const faults = [];
  engine.addEventListener("fault", (event) => faults.push(event.detail.message));
  const times = [];
  const most = { bytes: 0, chunks: 0 };
  const act = async (actions) => {
    await engine.settled();
    times.push(engine.time);
    for (const [method, ...given] of actions) await engine[method](...given);
    await engine.settled();
    most.bytes = Math.max(most.bytes, engine.residentBytes);
    most.chunks = Math.max(most.chunks, held.size);
  };
  for (const [at, actions] of steps) {
    if (at === 0) await act(actions);
    else void context.suspend(at).then(() => act(actions)).then(() => context.resume());
  }
  const audio = await context.startRendering();
  const levels = engine.levels();
  engine.close();
  const side = (channel) => base64(audio.getChannelData(channel).filter((_, i) => i % every === 0));
  return { left: side(0), right: side(1), times, faults, most, levels };
}

Object.assign(window, { Channel, Engine, base64, channelSource, chooseSource, computed, embeddedSource, gains, httpSource, plan, render });
window.loaded = true;
