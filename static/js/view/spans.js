// @ts-check
// From recorded events to the bars of a waterfall: spans by lane, nested where
// one lies within another of the same lane. No DOM.
import { split } from '../run/lanes.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */
/**
 * @typedef {object} Bar
 * @property {string} lane
 * @property {string} name
 * @property {string} layer
 * @property {number} begin milliseconds
 * @property {number|null} end null while it goes on
 * @property {string} text how it ended
 * @property {number} depth spans of its lane that it lies within; 0 where some overlap without nesting, as requests at the same time do
 * @property {Event} event
 */
/** @typedef {{kind: 'lane', lane: string}|{kind: 'bar', bar: Bar, alone: boolean}} Line alone: it stands for its lane */

export class Spans {
  count = 0;
  #last = 0;
  /** @type {Map<string, Bar[]>} by lane, as they began */
  #lanes = new Map();
  /** @type {Map<number, Bar>} */
  #open = new Map();
  /** @type {Map<string, {open: Bar[], all: Bar[], nested: boolean}>} by lane: those since none was open; open: as they began */
  #groups = new Map();
  /** @type {Line[]|null} */
  #lines = null;

  /** @param {Event} event */
  add(event) {
    if (event.kind !== 'span') return false;
    const at = event.at_ns / 1e6;
    this.#last = Math.max(this.#last, at);
    const lane = event.from ?? '', key = event.span ?? 0;
    const bar = this.#open.get(key);
    if (bar) {
      bar.end = at;
      bar.text = event.text ?? '';
      this.#open.delete(key);
      this.#leave(bar);
      return true;
    }
    let group = this.#groups.get(lane);
    if (!group?.open.length) this.#groups.set(lane, group = { open: [], all: [], nested: true });
    /** @type {Bar} */
    const made = { lane, name: event.name ?? '', layer: event.layer ?? 'app', begin: at, end: null, text: '', depth: group.nested ? group.open.length : 0, event };
    this.#open.set(key, made);
    group.open.push(made);
    group.all.push(made);
    getOr(this.#lanes, lane).push(made);
    this.count++;
    this.#lines = null;
    return true;
  }

  /** One that ends before another that began within it did not contain that. @param {Bar} bar */
  #leave(bar) {
    const group = this.#groups.get(bar.lane);
    if (!group) return;
    const [last] = group.open.slice(-1);
    group.open.splice(group.open.indexOf(bar), 1);
    if (bar === last || !group.nested) return;
    group.nested = false;
    for (const one of group.all) one.depth = 0;
  }

  /** Until when there is something to be seen: quiet time after the last end only makes it small. @param {number} now */
  extent(now) { return this.#open.size > 0 ? now : this.#last; }

  /** A heading for each lane of several bars, its bars under it; variants together. @returns {Line[]} */
  get lines() {
    if (this.#lines) return this.#lines;
    const lanes = [...this.#lanes.keys()];
    const variants = [...new Set(lanes.map((lane) => split(lane).variant))];
    /** @type {Line[]} */
    const lines = [];
    for (const variant of variants) {
      for (const lane of lanes.filter((l) => split(l).variant === variant)) {
        const bars = this.#lanes.get(lane) ?? [], alone = bars.length === 1;
        if (!alone) lines.push({ kind: 'lane', lane });
        for (const bar of bars) lines.push({ kind: 'bar', bar, alone });
      }
    }
    return this.#lines = lines;
  }
}

/** @template V @param {Map<string, V[]>} map @param {string} key @returns {V[]} */
function getOr(map, key) {
  let list = map.get(key);
  if (!list) map.set(key, list = []);
  return list;
}
