/**
 * Questions to Python over the widget's channel, each with its answer: `base.View` is the other end.
 *
 * A question is `{ id, ask, …arguments }` and buffers; an answer `{ id, value }` and buffers, or `{ id, error: { error, code, details? } }`.
 */

/** A question that got no good answer; `message` is a sentence for a person. */
export class AskError extends Error {
  /** @param {string} message @param {string} code @param {Record<string, any>} [details] */
  constructor(message, code, details) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/**
 * @typedef {object} Model What of anywidget's model a view needs; a page without a kernel stands in for it.
 * @property {(name: string) => any} get
 * @property {(name: string, value: any) => void} set
 * @property {() => void} save_changes
 * @property {(event: string, callback: (...given: any[]) => void) => void} on
 * @property {(event?: string | null, callback?: ((...given: any[]) => void) | null) => void} off
 * @property {(content: any, callbacks?: any, buffers?: ArrayBuffer[] | ArrayBufferView[]) => void} send
 */

/** Whether this page is a dashboard, rather than a notebook with cells: Voilà's pages say so. */
const onDashboard = () => document.body.dataset.voila !== undefined;

/** What is said where nobody answers; `otherwise` is for a notebook. @param {string} [otherwise] */
export function lostSession(otherwise = "No answer from the notebook. It may be busy with a cell; if its kernel was stopped or restarted, run the cell again.") {
  return onDashboard() ? "The page has lost its session. Reload it; jobs go on." : otherwise;
}

export class Channel {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.next = 1;
    /** Whether the last question found no answer, and nothing has come since: who asks by itself leaves off then. */
    this.silent = false;
    this.online = () => void (this.silent = false);
    addEventListener("online", this.online);
    /** @type {Map<number, { resolve: (answer: { value: any, buffers: DataView[] }) => void, reject: (error: AskError) => void, timer: number }>} */
    this.open = new Map();
    /** @param {any} content @param {DataView[]} buffers */
    this.listener = (content, buffers) => this.#take(content, buffers);
    model.on("msg:custom", this.listener);
  }

  /**
   * Ask Python's `answer_<name>`; rejects with an `AskError`.
   * @param {string} name
   * @param {Record<string, any>} [given]
   * @param {{ buffers?: ArrayBuffer[], patience?: number }} [options] `patience`: seconds to wait for the answer.
   * @returns {Promise<{ value: any, buffers: DataView[] }>}
   */
  ask(name, given = {}, { buffers = [], patience = 30 } = {}) {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.open.delete(id);
        this.silent = true;
        reject(new AskError(lostSession(), "no_answer"));
      }, patience * 1000);
      this.open.set(id, { resolve, reject, timer: /** @type {any} */ (timer) });
      try {
        this.model.send({ ...given, id, ask: name, page: PAGE }, undefined, buffers);
      } catch (error) {
        clearTimeout(timer);
        this.open.delete(id);
        if (!this.silent) console.error(error);
        this.silent = true;
        reject(new AskError(lostSession(), "no_answer"));
      }
    });
  }

  close() {
    this.model.off("msg:custom", this.listener);
    removeEventListener("online", this.online);
    for (const { reject, timer } of this.open.values()) {
      clearTimeout(timer);
      reject(new AskError("The widget was closed.", "closed"));
    }
    this.open.clear();
  }

  /** @param {any} content @param {DataView[]} buffers */
  #take(content, buffers) {
    this.silent = false;
    if (content?.page !== PAGE) return;
    const asked = this.open.get(content.id);
    if (!asked) return;
    clearTimeout(asked.timer);
    this.open.delete(content.id);
    if (content.error) asked.reject(new AskError(content.error.error, content.error.code, content.error.details));
    else asked.resolve({ value: content.value, buffers: buffers ?? [] });
  }
}

/** Tells this page's questions from those of another page with the same widget. */
export const PAGE = crypto.getRandomValues(new Uint32Array(2)).join("-");
