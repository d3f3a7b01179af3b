// @ts-check
// From lines that are explained to documents, in the order they turn up. No DOM.
import { isLine } from '../run/lanes.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */
/** @typedef {{name: string, lines: [line: string, meaning: string][]}} Text */

export class Documents {
  count = 0;
  /** @type {Map<string, Map<string, string>>} */
  #texts = new Map();

  /** @param {Event} event */
  add(event) {
    if (!isLine(event)) return false;
    const name = event.from ?? '', lines = this.#texts.get(name) ?? new Map();
    this.#texts.set(name, lines);
    lines.set(event.name ?? '', event.text ?? '');
    this.count++;
    return true;
  }

  /** @returns {Text[]} */
  get all() { return [...this.#texts].map(([name, lines]) => ({ name, lines: [...lines] })); }
}
