// @ts-check
// What the parts of the room's page share.

/** @typedef {import('../net/room.js').Room} Room */
/** @typedef {import('../net/link.js').Link} Link */

/**
 * @typedef {object} Context
 * @property {Room} room
 * @property {import('../inspect/recorder.js').Recorder} recorder
 * @property {import('./selection.js').Selection} selection
 * @property {import('./history.js').Histories} histories
 * @property {Unread} unread
 * @property {(words: string) => void} announce says something to a screen reader
 * @property {(words: string, tone?: 'info'|'warn'|'bad') => void} notice shows a passing line
 */

/** Counts messages nobody looked at yet. Fires 'change'. */
export class Unread extends EventTarget {
  /** @type {Map<Link, number>} */
  #counts = new Map();

  /** @param {Link} link */
  of(link) { return this.#counts.get(link) ?? 0; }

  get total() { return [...this.#counts.values()].reduce((a, b) => a + b, 0); }

  /** @param {Link} link @param {number} count */
  set(link, count) {
    if (this.of(link) === count) return;
    if (count === 0) this.#counts.delete(link);
    else this.#counts.set(link, count);
    this.dispatchEvent(new CustomEvent('change'));
  }
}
