/**
 * Where the audio of the lanes comes from.
 *
 * @typedef {object} Source
 * @property {(lane: string, start: number, count: number, signal?: AbortSignal) => Promise<Int16Array<ArrayBuffer>>} read
 * `count` frames of a lane from frame `start` on, interleaved stereo, in an array that the source keeps no hold of. Rejects with an
 * `AskError`, whose message is a sentence for a person.
 */
import { AskError } from "../lib/channel.js";
export { embeddedSource } from "./embedded.js";

/** Bytes before the samples of a WAV file that Python serves, and bytes of each of its frames. */
const HEADER = 44;
const FRAME = 4;
/** Milliseconds that the server may take to say whether it has this audio. */
const PATIENCE = 3000;

/** Seconds that Python may take for a piece of audio; it is asked for again then. */
const ANSWER = 10;

const GONE = "This audio isn't on the server any more. Reload the page; if it stays away, separate the track again.";
const SIGNED_OUT = "The server wants you to sign in again. Reload the page.";
const OUT_OF_REACH = "The server can't be reached. Check the connection, then press play again.";
const UNLIKE = "The server sent something other than the audio asked for. Reload the page.";

/**
 * Over HTTP, from a 16-bit stereo WAV file a lane, by Range requests.
 * @param {Record<string, string>} urls
 * @returns {Source}
 */
export function httpSource(urls) {
  return {
    async read(lane, start, count, signal) {
      const first = HEADER + start * FRAME;
      const range = `bytes=${first}-${first + count * FRAME - 1}`;
      const answer = await fetch(urls[lane], { headers: { Range: range }, signal }).catch(() => {
        throw new AskError(OUT_OF_REACH, "no_answer");
      });
      if (answer.status === 401 || answer.status === 403) throw new AskError(SIGNED_OUT, "forbidden");
      if (answer.status === 404 || answer.status === 410) throw new AskError(GONE, "not_found");
      if (answer.status >= 500) throw new AskError(OUT_OF_REACH, "server");
      if (answer.status !== 206) throw new AskError(UNLIKE, "range");
      const bytes = await answer.arrayBuffer().catch(() => {
        throw new AskError(OUT_OF_REACH, "no_answer");
      });
      return new Int16Array(bytes, 0, Math.floor(bytes.byteLength / FRAME) * 2);
    },
  };
}

/**
 * Over the widget's channel: Python answers `audio` with a buffer.
 * @param {import("../lib/channel.js").Channel} channel
 * @returns {Source}
 */
export function channelSource(channel) {
  return {
    async read(lane, start, count) {
      const { buffers } = await channel.ask("audio", { lane, start, count }, { patience: ANSWER });
      const { buffer, byteOffset, byteLength } = buffers[0];
      return new Int16Array(/** @type {ArrayBuffer} */ (buffer).slice(byteOffset, byteOffset + byteLength));
    },
  };
}

/**
 * HTTP where the server behind the page holds the very audio that the kernel means, the channel otherwise.
 * @param {{ lanes: { name: string, url?: string, etag?: string }[] }} track
 * @param {import("../lib/channel.js").Channel} channel
 * @returns {Promise<Source>}
 */
export async function chooseSource({ lanes }, channel) {
  const base = serverBase();
  const found = lanes.map(({ name, url, etag }) => ({ name, etag, url: url ? new URL(url, base).href : "" }));
  const served = await Promise.all(found.map(({ url, etag }) => (url && etag ? has(url, etag) : false)));
  if (lanes.length === 0 || !served.every(Boolean)) return channelSource(channel);
  return httpSource(Object.fromEntries(found.map(({ name, url }) => [name, url])));
}

/** Where the server behind this page begins: JupyterLab says so; elsewhere it is the page's own folder. */
function serverBase() {
  const config = document.getElementById("jupyter-config-data")?.textContent;
  const said = config && JSON.parse(config).baseUrl;
  return new URL(said ? said.replace(/\/?$/, "/") : "./", location.href).href;
}

/** @param {string} url @param {string} etag */
async function has(url, etag) {
  try {
    const answer = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(PATIENCE) });
    return answer.ok && bare(answer.headers.get("ETag") ?? "") === bare(etag);
  } catch {
    return false;
  }
}

/** @param {string} etag An ETag, weak, quoted or neither. */
function bare(etag) {
  return etag.replace(/^W\//, "").replaceAll('"', "");
}
