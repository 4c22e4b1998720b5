/** Waits for audio that keeps away: asks again until it comes, and says so when that takes long. */

/** Milliseconds without audio until it is said, and between two attempts to get it. */
const LONG = 10_000;
const AGAIN = 3000;

const LATE = "No audio has come for a while. Playing goes on by itself once it does; if it does not, check the connection.";

/** Codes of an `AskError` that says that nobody was reached, rather than that there is no such audio. */
const AWAY = ["no_answer", "server"];

export class Stall {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #saying;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #asking;
  #said = false;

  /**
   * @param {object} given
   * @param {(sentence: string) => void} given.say Told "" once it is over.
   * @param {() => void} given.again Asks for the audio anew.
   */
  constructor({ say, again }) {
    this.say = say;
    this.again = again;
    this.online = () => this.#asking === undefined || this.again();
    addEventListener("online", this.online);
  }

  /** Whether a failure to read is one that passes by itself. @param {string} code */
  passes(code) {
    return AWAY.includes(code);
  }

  /** @param {boolean} on Whether it would play, and waits for audio. */
  waits(on) {
    if (!on) {
      clearTimeout(this.#saying);
      this.#saying = undefined;
      if (this.#said) this.say("");
      this.#said = false;
    } else if (!this.#said) {
      this.#saying ??= setTimeout(() => {
        this.#saying = undefined;
        this.#said = true;
        this.say(LATE);
      }, LONG);
    }
  }

  /** Nobody was reached: ask again in a while. */
  later() {
    this.rest();
    this.#asking = setTimeout(() => {
      this.#asking = undefined;
      this.again();
    }, AGAIN);
  }

  /** Ask no more by itself. */
  rest() {
    clearTimeout(this.#asking);
    this.#asking = undefined;
  }

  close() {
    this.rest();
    clearTimeout(this.#saying);
    removeEventListener("online", this.online);
  }
}
