// @ts-check
// The stretch of time that is looked at. No DOM.

export class Range {
  /** milliseconds; null: all of it, however long it gets */
  #from = /** @type {number|null} */ (null);
  #to = 0;
  #all = 1;

  /** How long all of it is. @param {number} all */
  grow(all) { this.#all = Math.max(1, all); }

  get from() { return this.#from ?? 0; }
  get to() { return this.#from === null ? this.#all : this.#to; }
  get whole() { return this.#from === null; }

  fit() { this.#from = null; }

  /** @param {number} factor above 1: closer @param {number} [centre] milliseconds */
  zoom(factor, centre = (this.from + this.to) / 2) {
    const length = (this.to - this.from) / factor;
    if (length >= this.#all) return this.fit();
    if (length < 0.001) return; // a microsecond
    const part = (centre - this.from) / (this.to - this.from);
    this.#show(centre - part * length, length);
  }

  /** @param {number} part of what is in view; above 0: later */
  pan(part) {
    if (this.#from === null) return;
    const length = this.to - this.from;
    this.#show(this.from + part * length, length);
  }

  /** @param {number} from @param {number} length */
  #show(from, length) {
    this.#from = Math.max(0, Math.min(this.#all - length, from));
    this.#to = this.#from + length;
  }

  /** Round moments to mark, at most that many. @param {number} most @returns {number[]} */
  ticks(most) { return ticks(this.from, this.to, most); }
}

/** Round numbers between two, at most that many. @param {number} from @param {number} to @param {number} most @returns {number[]} */
export function ticks(from, to, most) {
  const rough = (to - from) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((s) => s * power >= rough) ?? 10) * power;
  const list = [];
  for (let n = Math.ceil(from / step); n * step <= to; n++) list.push(n * step);
  return list;
}
