/** The stretch of time that a view shows. */

/** The shortest stretch that can be shown, in seconds. */
const SHORTEST = 2;

export class Viewport extends EventTarget {
  constructor() {
    super();
    this.duration = 1;
    this.start = 0;
    this.length = 1;
    /** Whether the view turns its page when the playhead leaves it. */
    this.following = true;
  }

  get end() {
    return this.start + this.length;
  }

  get whole() {
    return this.length >= this.duration;
  }

  /** Show all of another track. @param {number} duration */
  reset(duration) {
    this.duration = Math.max(0.1, duration);
    this.following = true;
    this.show(0, this.duration);
  }

  /** @param {number} start @param {number} length */
  show(start, length) {
    const shown = Math.min(this.duration, Math.max(Math.min(SHORTEST, this.duration), length));
    const from = Math.min(this.duration - shown, Math.max(0, start));
    if (from === this.start && shown === this.length) return;
    this.start = from;
    this.length = shown;
    this.dispatchEvent(new Event("change"));
  }

  /** Show `factor` times as much, so that the moment `around` stays where it is. @param {number} factor @param {number} around */
  zoom(factor, around) {
    const length = Math.min(this.duration, Math.max(Math.min(SHORTEST, this.duration), this.length * factor));
    this.show(around - ((around - this.start) * length) / this.length, length);
  }

  /** @param {number} seconds */
  scroll(seconds) {
    this.show(this.start + seconds, this.length);
  }

  /** Keep a moving playhead in sight, by turning the page. @param {number} time */
  follow(time) {
    if (this.whole || (time >= this.start && time < this.end)) {
      if (time >= this.start && time < this.end) this.following = true;
      return;
    }
    if (this.following) this.show(time - this.length * 0.05, this.length);
  }

  /** Bring a moment into sight. @param {number} time */
  reveal(time) {
    this.following = true;
    if (time < this.start || time > this.end) this.show(time - this.length / 4, this.length);
  }
}
