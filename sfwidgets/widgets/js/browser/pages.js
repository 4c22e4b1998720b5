/**
 * @typedef {object} Track What Python's `_row` tells of a track.
 * @property {string} id
 * @property {string} title
 * @property {string} artist
 * @property {string} album
 * @property {number | null} duration
 * @property {number} created Milliseconds since the epoch.
 * @property {boolean} hasStems
 * @property {boolean} hasAnalysis
 * @typedef {{ search: string, sort: string }} Query
 */

const SIZE = 50;

/** The tracks that were asked for, in pages; those that nobody looks at are never asked for. */
export class Pages {
  /** @type {Map<number, Track[]>} */
  #pages = new Map();
  /** @type {Set<number>} */
  #asked = new Set();
  /** Raised with every query, so that the answer to an earlier one is known as stale. */
  #serial = 0;
  /** @type {Query} */
  query = { search: "", sort: "-created" };
  /** How many there are in all; null while that is not known. @type {number | null} */
  total = null;

  /**
   * @param {import("../lib/channel.js").Channel} channel
   * @param {() => void} changed
   * @param {(error: Error) => void} failed
   */
  constructor(channel, changed, failed) {
    this.channel = channel;
    this.changed = changed;
    this.failed = failed;
  }

  /** @param {number} index @returns {Track | undefined} */
  at(index) {
    return this.#pages.get(Math.floor(index / SIZE))?.[index % SIZE];
  }

  /** The index of a track among those that are here, -1 where it is not. @param {string} id */
  find(id) {
    for (const [page, tracks] of this.#pages) {
      const within = tracks.findIndex((track) => track.id === id);
      if (within >= 0) return page * SIZE + within;
    }
    return -1;
  }

  /**
   * Ask anew, for what lies between two indices; until the answer is here, what was here stays. Resolves to false where
   * a later query overtook it.
   * @param {Query} query @param {number} first @param {number} last
   */
  async load(query, first = 0, last = 0) {
    const serial = ++this.#serial;
    this.#asked.clear();
    try {
      let answers = await this.#ask(query, first, last);
      if (serial !== this.#serial) return false;
      const total = answers[0].total;
      if (first >= total && first > 0) {
        answers = await this.#ask(query, Math.max(0, total - (last - first) - 1), Math.max(0, total - 1));
        if (serial !== this.#serial) return false;
      }
      this.query = query;
      this.total = total;
      this.#pages = new Map(answers.map(({ page, rows }) => [page, rows]));
    } catch (error) {
      if (serial === this.#serial) this.failed(/** @type {Error} */ (error));
      return false;
    }
    this.changed();
    return true;
  }

  /** Ask for what is missing between two indices. @param {number} first @param {number} last */
  async need(first, last) {
    const serial = this.#serial;
    for (let page = Math.floor(first / SIZE); page <= Math.floor(last / SIZE); page += 1) {
      if (this.#pages.has(page) || this.#asked.has(page)) continue;
      this.#asked.add(page);
      this.#ask(this.query, page * SIZE, page * SIZE).then(([answer]) => {
        if (serial !== this.#serial) return;
        this.total = answer.total;
        this.#pages.set(page, answer.rows);
        this.#asked.delete(page);
        this.changed();
      }, (error) => {
        if (serial !== this.#serial) return;
        this.#asked.delete(page);
        this.failed(error);
      });
    }
  }

  /** @param {Query} query @param {number} first @param {number} last @returns {Promise<{ page: number, total: number, rows: Track[] }[]>} */
  #ask({ search, sort }, first, last) {
    const pages = [];
    for (let page = Math.floor(first / SIZE); page <= Math.floor(last / SIZE); page += 1) pages.push(page);
    return Promise.all(pages.map(async (page) => {
      const { value } = await this.channel.ask("tracks", { search, sort, offset: page * SIZE, limit: SIZE });
      return { page, ...value };
    }));
  }
}
