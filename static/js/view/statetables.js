// @ts-check
// What holds now: a table for each lane, the variants side by side.
import { el } from '../page/dom.js';
import { time } from './ladder-marks.js';
import { States } from './states.js';
import { table } from './table.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */

export class StateTables {
  label = 'State';
  #states = new States();
  #body = el('div', { class: 'state-columns' });
  #empty = el('p', { class: 'empty' }, 'No state has been told yet.');
  /** @type {Map<string, HTMLElement>} */
  #boxes = new Map();
  #now = 0;

  /** @param {HTMLElement} container */
  constructor(container) { container.append(this.#body, this.#empty); }

  get count() { return this.#states.count; }

  reset() {
    this.#states = new States();
    this.#now = 0;
  }

  /** @param {Event} event */
  push(event) {
    this.#now = event.at_ns / 1e6;
    this.#states.add(event);
  }

  draw() {
    const columns = this.#states.columns;
    this.#empty.hidden = columns.length > 0;
    const wanted = new Set();
    for (const { variant, tables } of columns) {
      const column = this.#box(`c ${variant}`, () => el('section', { class: 'state-column' }, ...(variant ? [el('h3', {}, variant)] : [])), this.#body);
      wanted.add(`c ${variant}`);
      for (const { lane, name, keys } of tables) {
        const key = `t ${lane}`;
        wanted.add(key);
        table(this.#box(key, () => el('div', { class: 'state-table' }), column), {
          caption: name || 'the run',
          columns: [{ title: 'What' }, { title: 'Now' }, { title: 'Since', numeric: true }],
          rows: keys.map(([what, value]) => ({
            cells: [what, value.value, time(value.at)],
            attrs: { 'data-layer': value.layer, 'data-fresh': String(this.#now - value.at < 400) },
          })),
          empty: `${name || 'the run'}: nothing now`,
        });
      }
    }
    for (const [key, box] of this.#boxes) {
      if (wanted.has(key)) continue;
      box.remove();
      this.#boxes.delete(key);
    }
  }

  /** @param {string} key @param {() => HTMLElement} make @param {HTMLElement} parent */
  #box(key, make, parent) {
    let box = this.#boxes.get(key);
    if (!box) {
      this.#boxes.set(key, box = make());
      parent.append(box);
    }
    return box;
  }
}
