// @ts-check
// From state events to what holds now: for each lane, each key with its value. No DOM.
import { isCell, isLine, isPublished, split } from '../run/lanes.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */
/** @typedef {{value: string, layer: string, at: number, changes: number}} Value at: milliseconds */
/** @typedef {{lane: string, name: string, keys: [string, Value][]}} Table */

export class States {
  count = 0;
  /** @type {Map<string, Map<string, Value>>} */
  #lanes = new Map();

  /** @param {Event} event */
  add(event) {
    if (event.kind !== 'state' || isPublished(event) || isCell(event) || isLine(event)) return false;
    const lane = event.from ?? '', key = event.name ?? '';
    let keys = this.#lanes.get(lane);
    if (!keys) this.#lanes.set(lane, keys = new Map());
    const before = keys.get(key);
    this.count++;
    if (!event.text) keys.delete(key);
    else keys.set(key, { value: event.text, layer: event.layer ?? 'app', at: event.at_ns / 1e6, changes: (before?.changes ?? 0) + 1 });
    return true;
  }

  /** Tables by variant: one list each, in the order they turned up. @returns {{variant: string, tables: Table[]}[]} */
  get columns() {
    /** @type {Map<string, Table[]>} */
    const columns = new Map();
    for (const [lane, keys] of this.#lanes) {
      const { variant, name } = split(lane);
      const tables = columns.get(variant) ?? [];
      columns.set(variant, tables);
      tables.push({ lane, name, keys: [...keys] });
    }
    return [...columns].map(([variant, tables]) => ({ variant, tables }));
  }
}
