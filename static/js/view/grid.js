// @ts-check
// From cells to tables: one for each variant, rows and columns in the order they turn up. No DOM.
import { isCell, split } from '../run/lanes.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */
/** @typedef {'direct'|'relayed'|'failed'|'busy'|'plain'} Tone */
/** @typedef {{variant: string, rows: string[], columns: string[], cell: (row: string, column: string) => Event|undefined, done: number, planned: number}} Grid */

/** The word that a value begins with says how it is marked. @param {string} value @returns {Tone} */
export function tone(value) {
  const word = value.split(' ', 1)[0];
  if (word === 'direct' || word === 'relayed' || word === 'failed') return word;
  return word === '…' ? 'busy' : 'plain';
}

export class Grids {
  count = 0;
  /** @type {Map<string, {rows: string[], columns: string[], cells: Map<string, Event>}>} */
  #grids = new Map();

  /** @param {Event} event */
  add(event) {
    if (!isCell(event)) return false;
    const { variant, name: row } = split(event.from ?? ''), column = event.name ?? '';
    let grid = this.#grids.get(variant);
    if (!grid) this.#grids.set(variant, grid = { rows: [], columns: [], cells: new Map() });
    if (!grid.rows.includes(row)) grid.rows.push(row);
    if (!grid.columns.includes(column)) grid.columns.push(column);
    grid.cells.set(key(row, column), event);
    this.count++;
    return true;
  }

  /** @returns {Grid[]} */
  get all() {
    return [...this.#grids].map(([variant, { rows, columns, cells }]) => ({
      variant, rows, columns,
      cell: (row, column) => cells.get(key(row, column)),
      planned: cells.size, // a pair of a row with itself may have no cell
      done: [...cells.values()].filter((e) => e.text && tone(e.text) !== 'busy').length,
    }));
  }
}

/** @param {string} row @param {string} column */
function key(row, column) { return `${row}\n${column}`; }
