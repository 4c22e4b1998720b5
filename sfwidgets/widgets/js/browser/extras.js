const COVERS = 400;
const AT_ONCE = 16;

/** What is shown of a track beyond its row: its cover, its tempo and key; asked for only where it is in sight. */
export class Extras {
  /** The cover's address, null where it has none. @type {Map<string, string | null>} */
  #covers = new Map();
  /** @type {Map<string, { tempo: number | null, key: string | null }>} */
  #facts = new Map();
  /** @type {import("./pages.js").Track[]} */
  #wanted = [];
  #busy = false;
  #fresh = false;

  /**
   * @param {import("../lib/channel.js").Channel} channel
   * @param {() => void} changed
   */
  constructor(channel, changed) {
    this.channel = channel;
    this.changed = changed;
  }

  /** @param {string} id */
  cover(id) {
    return this.#covers.get(id) ?? null;
  }

  /** @param {string} id */
  facts(id) {
    return this.#facts.get(id);
  }

  /** Forget what may have changed. */
  stale() {
    this.#facts.clear();
    this.#fresh = true;
  }

  /** @param {import("./pages.js").Track[]} tracks Those in sight. */
  want(tracks) {
    this.#wanted = tracks;
    if (!this.#busy) this.#work();
  }

  close() {
    for (const url of this.#covers.values()) if (url) URL.revokeObjectURL(url);
    this.#covers.clear();
  }

  async #work() {
    this.#busy = true;
    try {
      for (;;) {
        const bare = this.#wanted.filter((track) => track.hasAnalysis && !this.#facts.has(track.id)).slice(0, AT_ONCE);
        const uncovered = this.#wanted.filter((track) => !this.#covers.has(track.id)).slice(0, AT_ONCE);
        if (!bare.length && !uncovered.length) break;
        if (bare.length) await this.#askFacts(bare.map((track) => track.id));
        if (uncovered.length) await this.#askCovers(uncovered.map((track) => track.id));
        this.changed();
      }
    } catch {
      // A cover, or a key, is no more than an extra: the next look asks again.
    }
    this.#busy = false;
  }

  /** @param {string[]} tracks */
  async #askFacts(tracks) {
    const { value } = await this.channel.ask("facts", { tracks, fresh: this.#fresh });
    for (const id of tracks) this.#facts.set(id, value[id] ?? { tempo: null, key: null });
    this.#fresh = false;
  }

  /** @param {string[]} tracks */
  async #askCovers(tracks) {
    const { value, buffers } = await this.channel.ask("artwork", { tracks });
    for (const id of tracks) this.#covers.set(id, null);
    value.forEach((/** @type {string} */ id, /** @type {number} */ at) => {
      this.#covers.set(id, URL.createObjectURL(new Blob([/** @type {any} */ (buffers[at])], { type: "image/jpeg" })));
    });
    const seen = new Set(this.#wanted.map((track) => track.id));
    for (const [id, url] of this.#covers) {
      if (this.#covers.size <= COVERS) break;
      if (seen.has(id)) continue;
      if (url) URL.revokeObjectURL(url);
      this.#covers.delete(id);
    }
  }
}
